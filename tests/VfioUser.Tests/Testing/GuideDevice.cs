namespace VfioUser.Tests;

/// <summary>The device of <c>docs/testing.md</c>: adds up the bytes of a buffer in guest memory, and says that it is done.</summary>
internal sealed class SumDevice : PciDevice
{
    private readonly Register<ulong> _iova;
    private readonly Register<uint> _length, _sum, _fault;
    private readonly IrqVectors _done;
    private readonly Intx _intx;

    public SumDevice()
        : base(new PciId(Vendor: 0x1B36, Device: 0x00F7), PciClass.ProcessingAccelerator)
    {
        Bar bar0 = AddBar(0, BarKind.Memory32, size: 0x1000);
        _done = bar0.AddMsiX(offset: 0x800, vectors: 2);
        _intx = AddIntx();
        _iova = bar0.AddRegister<ulong>(offset: 0x00);
        _length = bar0.AddRegister<uint>(offset: 0x08);
        _sum = bar0.AddRegister<uint>(offset: 0x0C, RegisterAccess.ReadOnly);
        _fault = bar0.AddRegister<uint>(offset: 0x10, RegisterAccess.ReadOnly);
        bar0.AddDoorbell(offset: 0x14, ring: Run);
        bar0.AddDoorbell(offset: 0x18, ring: () => _intx.Deassert());
        EnableMigration();
    }

    private void Run()
    {
        byte[] data = new byte[checked((int)_length.Value)]; // a guest that says 4 GiB is a bug of this device's, for a test to find
        bool read = Dma.TryRead(new Iova(_iova.Value), data);
        _fault.Value = read ? 0u : 1u;
        _sum.Value = (uint)data.Sum(b => b);
        if (Config.MsiX!.IsEnabled)
            _done[read ? 0 : 1].Trigger();
        else
            _intx.Assert();
    }
}
