namespace VfioUser.Docs.Tests.Interrupts;

/// <summary>Interrupts of whichever kind the driver chooses.</summary>
internal sealed class AnyKind : PciDevice
{
    private readonly DeviceInterrupts _interrupts;
    private readonly Register<uint> _cause, _enabled;

    public AnyKind()
        : base(new PciId(Vendor: 0x1B36, Device: 0x00E8), PciClass.Other)
    {
        Bar bar0 = AddBar(0, BarKind.Memory32, size: 0x1000);
        _interrupts = AddInterrupts(new() { Vectors = 2, MsiXBar = bar0, MsiXOffset = 0x800, HasCause = () => (_cause!.Value & _enabled!.Value) != 0 });
        _cause = bar0.AddRegister<uint>(0x00, new() { Access = RegisterAccess.WriteOneToClear, OnWrite = _ => _interrupts.Update() });
        _enabled = bar0.AddRegister<uint>(0x04, new() { OnWrite = _ => _interrupts.Update() });
    }

    public void Finish(int queue)
    {
        _cause.SetBits(1u << queue);
        _interrupts.Trigger(queue);
    }
}
