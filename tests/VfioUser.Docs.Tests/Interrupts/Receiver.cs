namespace VfioUser.Docs.Tests.Interrupts;

/// <summary>A device with one cause: MSI-X where the driver has enabled it, INTx otherwise.</summary>
internal sealed class Receiver : PciDevice
{
    private const uint Received = 1 << 0;

    private readonly Lock _lock = new();
    private readonly Intx _intx;
    private readonly Irq _message;
    private readonly Register<uint> _cause;

    public Receiver()
        : base(new PciId(Vendor: 0x1B36, Device: 0x00EA), PciClass.CommunicationOther)
    {
        Bar bar0 = AddBar(0, BarKind.Memory32, size: 0x2000);
        _message = bar0.AddMsiX(offset: 0x1000, vectors: 1)[0];
        _intx = AddIntx();
        _cause = bar0.AddRegister<uint>(0x00, new RegisterOptions<uint>
        {
            Access = RegisterAccess.WriteOneToClear,
            OnWrite = _ => SetPin(),
        });
    }

    /// <summary>Any thread.</summary>
    public void Receive()
    {
        _cause.SetBits(Received);
        if (Config.MsiX is { IsEnabled: true })
            _message.Trigger();
        else
            SetPin();
    }

    // The level follows the cause. The driver clears it while another thread may set it: one at a time looks and acts.
    private void SetPin()
    {
        lock (_lock)
        {
            if (_cause.Value != 0 && Config.MsiX is not { IsEnabled: true })
                _intx.Assert();
            else
                _intx.Deassert();
        }
    }
}
