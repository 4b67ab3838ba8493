namespace VfioUser.Docs.Tests.DeviceGuide;

/// <summary>Registers of every kind.</summary>
internal sealed class Timer : PciDevice
{
    public const uint Enable = 1 << 0;
    public const uint Expired = 1 << 0;

    private readonly Register<uint> _control;
    private readonly Register<uint> _status;

    public Timer()
        : base(new PciId(Vendor: 0x1B36, Device: 0x00E0, Revision: 2), PciClass.SystemPeripheral)
    {
        Bar bar0 = AddBar(0, BarKind.Memory32, size: 0x1000);
        bar0.AddRegister<uint>(0x00, new RegisterOptions<uint> { Access = RegisterAccess.ReadOnly, ResetValue = 0x0002_0001 });
        _control = bar0.AddRegister<uint>(0x04, new RegisterOptions<uint> { WriteMask = Enable, OnWrite = ControlWritten });
        _status = bar0.AddRegister<uint>(0x08, RegisterAccess.WriteOneToClear);
        bar0.AddRegister<ulong>(0x10, new RegisterOptions<ulong> { Access = RegisterAccess.ReadOnly, OnRead = _ => Ticks });
        bar0.AddDoorbell<uint>(0x18, ticks => Ticks += ticks);
    }

    public ulong Ticks { get; private set; }

    public void Expire() => _status.SetBits(Expired); // any thread

    public bool IsEnabled => (_control.Value & Enable) != 0;

    private void ControlWritten(RegisterWrite<uint> write)
    {
        if (write.Clears(Enable))
            Ticks = 0;
    }
}
