using VfioUser.Network;

namespace VfioUser.Docs.Tests.Network;

/// <summary>A card's PHY, its management register, and the status that follows the link.</summary>
internal sealed class PhyCard : PciDevice
{
    private readonly MiiPhy _phy;
    private readonly RegisterField<ushort> _data;
    private readonly RegisterField<byte> _number;
    private readonly RegisterField<bool> _isWrite, _linkUp, _isGigabit;

    public PhyCard()
        : base(new PciId(Vendor: 0x1B36, Device: 0x00E7), PciClass.NetworkEthernet)
    {
        Bar csr = AddBar(0, BarKind.Memory32, size: 0x1000);
        _phy = new MiiPhy(this, new() { Id = 0x0141_0C20 }, ShowLink);
        _phy.AddRegister<ushort>(16, new() { Name = "PSCON", ResetValue = 0x0360 });

        Register<uint> management = csr.AddRegister<uint>(0x00, new() { Name = "MDIO", OnWrite = ManagementWritten });
        _data = management.AddField<ushort>(0, 16, "DATA");
        _number = management.AddField<byte>(16, 5, "REG");
        _isWrite = management.AddFlag(21, "WRITE");
        Register<uint> status = csr.AddRegister<uint>(0x04, new() { Name = "STATUS", Access = RegisterAccess.ReadOnly });
        _linkUp = status.AddFlag(0, "LU");
        _isGigabit = status.AddFlag(1, "G");
    }

    public void Plug() => Post(() =>
    {
        _phy.Partner = LinkModes.GigabitEthernet;
        ShowLink();
    });

    protected override void OnReset(ResetReason reason) => ShowLink();

    private void ManagementWritten(RegisterWrite<uint> write)
    {
        if (write.Get(_isWrite))
            _phy.Write(write.Get(_number), write.Get(_data));
        else
            _data.Value = _phy.Read(write.Get(_number));
    }

    private void ShowLink()
    {
        _linkUp.Value = _phy.IsLinkUp;
        _isGigabit.Value = _phy.Speed == 1000;
    }
}
