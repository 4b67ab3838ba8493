using VfioUser;

#if (vendorIsWrong)
#error --vendor GIVEN-VENDOR is no PCI id: write 0x and four hexadecimal digits, such as 0x1234
#endif
#if (deviceIsWrong)
#error --device GIVEN-DEVICE is no PCI id: write 0x and four hexadecimal digits, such as 0x1234
#endif
namespace My_Device1;

/// <summary>Adds up bytes: the driver writes IOVA and LENGTH, rings DOORBELL, waits for MSI-X 0, reads SUM and FAULT.</summary>
public sealed class Card : PciDevice
{
    private const int MaxLength = 4096;

    private readonly Register<ulong> _iova;
    private readonly Register<uint> _length;
    private readonly Register<uint> _sum;
    private readonly Register<uint> _fault;

    public Card()
        : base(new PciId(Vendor: 0x1B36, Device: 0x00F4), PciClass.ProcessingAccelerator)
    {
        Bar bar0 = AddBar(0, BarKind.Memory32, size: 0x1000);
        Irq done = bar0.AddMsiX(offset: 0x800, vectors: 1)[0];
        _iova = bar0.AddRegister<ulong>(offset: 0x00, new() { Name = "IOVA" });
        _length = bar0.AddRegister<uint>(offset: 0x08, new() { Name = "LENGTH" });
        _sum = bar0.AddRegister<uint>(offset: 0x0C, new() { Name = "SUM", Access = RegisterAccess.ReadOnly });
        _fault = bar0.AddRegister<uint>(offset: 0x10, new() { Name = "FAULT", Access = RegisterAccess.ReadOnly });
        bar0.AddDoorbell(offset: 0x14, name: "DOORBELL", ring: () =>
        {
            AddUp();
            done.Trigger();
        });
    }

    private void AddUp()
    {
        Span<byte> data = stackalloc byte[(int)Math.Min(_length.Value, MaxLength)];
        // a bad address is the guest's mistake, and no exception
        _fault.Value = Dma.TryRead(new Iova(_iova.Value), data) ? 0u : 1u;
        uint sum = 0;
        foreach (byte value in data)
        {
            sum += value;
        }

        _sum.Value = sum;
    }
}
