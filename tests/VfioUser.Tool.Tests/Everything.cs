namespace VfioUser.Tool.Tests;

/// <summary>A device with a bit of everything: memory, mapped memory, MSI-X, a PCI Express configuration space.</summary>
internal sealed class Everything : PciDevice, IRegionHandler
{
    private readonly byte[] _bytes = new byte[0x1000];
    private readonly Irq _done;

    public Everything()
        : base(new PciId(0x1234, 0x5678), PciClass.ProcessingAccelerator)
    {
        RequiresBusMaster = false;
        AddBar(0, BarKind.Memory32, size: 0x1000, this);
        _done = AddBar(1, BarKind.Memory32, size: 0x1000).AddMsiX(offset: 0, vectors: 4)[1];
        Shared = AddBar(2, BarKind.Memory64, size: 0x4000).ShareMemory(new MemoryArea(0x1000, 0x1000));
    }

    public RegionMemory Shared { get; }

    public byte this[int offset]
    {
        get => Volatile.Read(ref _bytes[offset]);
        set => Volatile.Write(ref _bytes[offset], value);
    }

    /// <summary>Called with each write, on the command thread.</summary>
    public Action? Written { get; set; }

    /// <summary>Called with each read, on the command thread.</summary>
    public Action? Reading { get; set; }

    public void Interrupt() => _done.Trigger();

    public void Read(long offset, Span<byte> destination)
    {
        Reading?.Invoke();
        _bytes.AsSpan((int)offset, destination.Length).CopyTo(destination);
    }

    public void Write(long offset, ReadOnlySpan<byte> source)
    {
        source.CopyTo(_bytes.AsSpan((int)offset));
        Written?.Invoke();
    }
}
