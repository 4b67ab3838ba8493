namespace VfioUser.Network.Tests;

/// <summary>A card that is its PHY, with one register of a vendor's.</summary>
internal sealed class PhyCard : PciDevice
{
    public PhyCard(LinkModes modes = LinkModes.GigabitEthernet, LinkModes partner = LinkModes.None, int address = 1)
        : base(new PciId(Vendor: 0x1B36, Device: 0x00E8), PciClass.NetworkEthernet)
    {
        Phy = new MiiPhy(this, new() { Id = 0x0141_0C25, Modes = modes, Address = address }, () => LinkChanges++);
        Phy.AddRegister<ushort>(16, new() { Name = "VENDOR", ResetValue = 0x1234 });
        Phy.Partner = partner;
        EnableMigration();
    }

    public MiiPhy Phy { get; }

    public int LinkChanges { get; private set; }

    public MiiControl Control
    {
        get => (MiiControl)Phy.Read(0);
        set => Phy.Write(0, (ushort)value);
    }

    public bool ShowsLink => (Phy.Read(1) & 1 << 2) != 0;

    public bool ShowsNegotiated => (Phy.Read(1) & 1 << 5) != 0;
}
