namespace VfioUser.Tool.Tests.Tracing;

/// <summary>Inverts guest memory, interrupts, and has a megabyte of its own.</summary>
internal sealed class Engine : PciDevice, IRegionHandler
{
    public const long Address = 0x00;
    public const long Length = 0x08;
    public const long Doorbell = 0x0C;
    public const int RamSize = 1 << 20;

    private readonly byte[] _ram = new byte[RamSize];

    /// <param name="mask">What the memory is inverted with.</param>
    public Engine(byte mask = 0xFF)
        : base(new PciId(0x1234, 0x0001), PciClass.ProcessingAccelerator)
    {
        RequiresBusMaster = false;
        Bar bar0 = AddBar(0, BarKind.Memory32, size: 0x1000);
        Irq done = AddBar(1, BarKind.Memory32, size: 0x1000).AddMsiX(offset: 0, vectors: 1)[0];
        AddBar(2, BarKind.Memory64, size: RamSize, this);
        Register<ulong> address = bar0.AddRegister<ulong>(Address);
        Register<uint> length = bar0.AddRegister<uint>(Length);
        bar0.AddDoorbell(Doorbell, () =>
        {
            byte[] data = new byte[Math.Min(length.Value, 4096)];
            Dma.TryRead(new Iova(address.Value), data);
            for (int i = 0; i < data.Length; i++)
                data[i] ^= mask;
            Dma.TryWrite(new Iova(address.Value), data);
            done.Trigger();
        });
    }

    public void Read(long offset, Span<byte> destination) => _ram.AsSpan((int)offset, destination.Length).CopyTo(destination);

    public void Write(long offset, ReadOnlySpan<byte> source) => source.CopyTo(_ram.AsSpan((int)offset));
}
