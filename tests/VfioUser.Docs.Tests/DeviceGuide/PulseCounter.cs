namespace VfioUser.Docs.Tests.DeviceGuide;

/// <summary>A part that several devices can have.</summary>
internal sealed class PulseCounter : DevicePart
{
    private readonly RegisterBlock _block;
    private readonly Register<uint> _count;

    public PulseCounter(PciDevice device, RegisterBlock block)
        : base(device)
    {
        _block = block;
        _count = block.AddRegister<uint>(0x00, new() { Name = "COUNT", Access = RegisterAccess.ReadToClear });
    }

    public void Pulse() => _count.Add(1); // any thread

    protected override void OnAttached() => _block.ResetRegisters();
}
