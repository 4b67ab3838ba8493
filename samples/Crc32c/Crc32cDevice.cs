using System.Numerics;
using VfioUser;

/// <summary>CRC-32C engine: the driver writes IOVA and LENGTH, rings DOORBELL, waits for MSI-X 0, reads CRC.</summary>
public sealed class Crc32cDevice : PciDevice
{
    private readonly Register<ulong> _iova;
    private readonly Register<uint> _length;
    private readonly Register<uint> _crc;
    private readonly Register<uint> _fault;

    public Crc32cDevice()
        : base(new PciId(Vendor: 0x1B36, Device: 0x00F1), PciClass.ProcessingAccelerator)
    {
        Bar bar0 = AddBar(0, BarKind.Memory32, size: 0x1000);
        Irq done = bar0.AddMsiX(offset: 0x800, vectors: 1)[0];
        _iova = bar0.AddRegister<ulong>(offset: 0x00);
        _length = bar0.AddRegister<uint>(offset: 0x08);
        _crc = bar0.AddRegister<uint>(offset: 0x0C, RegisterAccess.ReadOnly);
        _fault = bar0.AddRegister<uint>(offset: 0x10, RegisterAccess.ReadOnly);
        bar0.AddDoorbell(offset: 0x14, ring: () => { Hash(); done.Trigger(); });
    }

    private void Hash()
    {
        Span<byte> data = stackalloc byte[(int)Math.Min(_length.Value, 4096)];
        _fault.Value = Dma.TryRead(new Iova(_iova.Value), data) ? 0u : 1u; // a bad IOVA is guest input, not an exception
        uint crc = uint.MaxValue;
        foreach (byte b in data)
            crc = BitOperations.Crc32C(crc, b);
        _crc.Value = ~crc;
    }
}
