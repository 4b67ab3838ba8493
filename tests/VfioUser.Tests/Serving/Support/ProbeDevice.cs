using System.Collections.Concurrent;

namespace VfioUser.Tests.Serving;

internal delegate void WhenRead(long offset, Span<byte> destination);

internal delegate void WhenWritten(long offset, ReadOnlySpan<byte> source);

/// <summary>A device with something of everything, which keeps a diary, and whose behaviour a test can replace.</summary>
internal sealed class ProbeDevice : PciDevice, IRegionHandler
{
    public const uint Plain = 0; // 4 KiB behind a handler
    public const uint Table = 1; // 64 KiB with the MSI-X table
    public const uint Sparse = 2; // 32 KiB, of which two areas can be mapped
    public const uint Shared = 3; // 4 KiB, all of which can be mapped
    public const uint Absent = 5;
    public const uint Rom = 6;
    public const uint ConfigIndex = 7;

    public const uint PlainSize = 0x1000;
    public const uint RomSize = 0x800;

    public ProbeDevice()
        : base(new PciId(0x1B36, 0x00F2), PciClass.ProcessingAccelerator)
    {
        RequiresBusMaster = false;
        AddBar(0, BarKind.Memory32, PlainSize, this);
        MsiX = AddBar(1, BarKind.Memory32, 0x10000).AddMsiX(0, vectors: 2048);
        AddBar(2, BarKind.Memory32, 0x8000).ShareMemory(new MemoryArea(0x2000, 0x1000), new MemoryArea(0x4000, 0x2000));
        AddBar(3, BarKind.Memory32, 0x1000).ShareMemory();
        AddRom("ROM"u8);
        Intx = AddIntx();
        Error = AddErrorIrq();
        Request = AddRequestIrq();
    }

    public IrqVectors MsiX { get; }

    public Intx Intx { get; }

    public Irq Error { get; }

    public Irq Request { get; }

    /// <summary>What BAR 0 holds.</summary>
    public byte[] Memory { get; } = new byte[PlainSize];

    /// <summary>What happened, in order.</summary>
    public BlockingCollection<string> Diary { get; } = [];

    public WhenRead? Read { get; set; }

    public WhenWritten? Written { get; set; }

    public Action<string>? Happened { get; set; }

    /// <summary>Waits until something has happened; what happened before is forgotten.</summary>
    public void ShouldTell(string what)
    {
        List<string> before = [];
        while (Diary.TryTake(out string? entry, Wait.Bound))
        {
            if (string.Equals(entry, what, StringComparison.Ordinal))
                return;
            before.Add(entry);
        }
        throw new TimeoutException($"'{what}' did not happen within {Wait.Bound}, but: {string.Join(", ", before)}.");
    }

    void IRegionHandler.Read(long offset, Span<byte> destination)
    {
        if (Read is null)
            Memory.AsSpan((int)offset, destination.Length).CopyTo(destination);
        else
            Read(offset, destination);
    }

    void IRegionHandler.Write(long offset, ReadOnlySpan<byte> source)
    {
        source.CopyTo(Memory.AsSpan((int)offset));
        Written?.Invoke(offset, source);
    }

    protected override void OnAttached() => Tell("attached");

    protected override void OnDetached() => Tell("detached");

    protected override void OnReset(ResetReason reason) => Tell($"reset by {reason}");

    protected override void OnDmaMapped(DmaRegion region) => Tell($"mapped {region.Address}");

    protected override void OnDmaUnmapping(DmaRegion region) => Tell($"unmapping {region.Address}");

    private void Tell(string what)
    {
        try
        {
            Happened?.Invoke(what);
        }
        finally
        {
            Diary.Add(what);
        }
    }
}
