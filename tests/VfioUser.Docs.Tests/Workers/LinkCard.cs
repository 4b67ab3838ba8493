namespace VfioUser.Docs.Tests.Workers;

/// <summary>A network card's link and its interrupt moderation: what happens at a time of its own.</summary>
internal sealed class LinkCard : PciDevice
{
    private readonly Register<uint> _status;
    private readonly Irq _interrupt;
    private readonly DeviceTimer _moderation;

    public LinkCard()
        : base(new PciId(Vendor: 0x1B36, Device: 0x00ED), PciClass.NetworkEthernet)
    {
        Bar bar0 = AddBar(0, BarKind.Memory32, size: 0x2000);
        _status = bar0.AddRegister<uint>(0x00, RegisterAccess.ReadOnly);
        _interrupt = bar0.AddMsiX(offset: 0x1000, vectors: 1)[0];
        _moderation = AddTimer(() => _interrupt.Trigger());
        bar0.AddDoorbell<uint>(0x04, microseconds => _moderation.Start(TimeSpan.FromMicroseconds(microseconds)));
        EnableMigration();
    }

    public void SetLink(bool isUp) => Post(() => // any thread: here is the Command thread
    {
        _status.Value = isUp ? 1u : 0u;
        _interrupt.Trigger();
    });
}
