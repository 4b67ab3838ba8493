namespace VfioUser.Clients.Tests;

/// <summary>A device with all that clients look at: trapped, mapped and half-mapped BARs, a ROM, DMA, all kinds of interrupts, migration.</summary>
internal sealed class Card : PciDevice, IRegionHandler, IMigrationState
{
    public const uint Registers = 0; // 4 KiB, by message
    public const uint Halves = 1; // 16 KiB, of which the first and the third page can be mapped
    public const uint Table = 2; // 64 KiB, by message: MSI-X
    public const uint Doorbells = 3; // 8 KiB, of which the second page can be mapped
    public const uint Absent = 5;
    public const uint Rom = 6;
    public const uint ConfigSpace = 7;

    public const int Vectors = 40; // more than one message brings eventfds for
    public const ulong PendingBits = 0x8000;

    public const ushort Vendor = 0x1B36;

    private byte[] _own = [];
    private int _given;

    public Card()
        : base(new PciId(Vendor, Device: 0x00F5), PciClass.ProcessingAccelerator)
    {
        RequiresBusMaster = false; // libvfio-user's sample client never sets the bit
        AddBar(0, BarKind.Memory32, 0x1000, this);
        Mapped = AddBar(1, BarKind.Memory32, 0x4000).ShareMemory(new MemoryArea(0, 0x1000), new MemoryArea(0x2000, 0x1000));
        MsiX = AddBar(2, BarKind.Memory32, 0x10000).AddMsiX(0, Vectors);
        AddBar(3, BarKind.Memory32, 0x2000).ShareMemory(new MemoryArea(0x1000, 0x1000));
        AddRom("ROM"u8);
        Intx = AddIntx();
        Error = AddErrorIrq();
        Request = AddRequestIrq();
        EnableMigration(this, new() { PreCopy = true });
    }

    public RegionMemory Mapped { get; }

    public IrqVectors MsiX { get; }

    public Intx Intx { get; }

    public Irq Error { get; }

    public Irq Request { get; }

    /// <summary>What BAR 0 holds.</summary>
    public byte[] Memory { get; } = new byte[0x1000];

    /// <summary>What a write to BAR 0 starts, on the command thread.</summary>
    public Action<long>? Written { get; set; }

    public int Resets { get; private set; }

    void IRegionHandler.Read(long offset, Span<byte> destination) => Memory.AsSpan((int)offset, destination.Length).CopyTo(destination);

    void IRegionHandler.Write(long offset, ReadOnlySpan<byte> source)
    {
        source.CopyTo(Memory.AsSpan((int)offset));
        Written?.Invoke(offset);
    }

    void IMigrationState.BeginSave() => _given = 0;

    int IMigrationState.Save(Span<byte> destination, bool stopped)
    {
        int count = Math.Min(destination.Length, (stopped ? Memory.Length : Memory.Length / 2) - _given);
        Memory.AsSpan(_given, count).CopyTo(destination);
        _given += count;
        return count;
    }

    void IMigrationState.EndSave()
    {
    }

    void IMigrationState.BeginRestore() => _own = [];

    void IMigrationState.Restore(ReadOnlySpan<byte> source) => _own = [.. _own, .. source];

    void IMigrationState.EndRestore() => _own.CopyTo(Memory, 0);

    protected override void OnReset(ResetReason reason) => Resets++;
}
