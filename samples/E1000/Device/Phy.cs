using VfioUser;
using VfioUser.Network;

namespace E1000.Device;

/// <summary>The PHY, a Marvell 88E1011, whose registers the guest reaches through MDIC. Command thread.</summary>
internal sealed class Phy
{
    private const uint Writable = 0x3FFF_FFFF;
    private const ushort LinkRealTime = 1 << 10;

    // Marvell's, beside PSSTAT
    private static readonly (int Number, string Name, RegisterAccess Access, ushort Reset)[] Specific =
    [
        (16, "PSCON", RegisterAccess.ReadWrite, 0x0360),
        (18, "PINTE", RegisterAccess.ReadWrite, 0x0000),
        (19, "PINTS", RegisterAccess.ReadToClear, 0x0000),
        (20, "PEXTCON", RegisterAccess.ReadWrite, 0x0D60),
        (21, "PRXERR", RegisterAccess.ReadToClear, 0x0000),
        (29, "PAGE", RegisterAccess.ReadWrite, 0x0000),
        (30, "PGENCON", RegisterAccess.ReadWrite, 0x0000),
    ];

    private readonly MiiPhy _mii;
    private readonly Register<ushort> _specificStatus;
    private readonly RegisterField<ushort> _data;
    private readonly RegisterField<byte> _register, _address;
    private readonly RegisterField<MdiOperation> _operation;
    private readonly RegisterField<bool> _ready, _interrupts, _error;
    private readonly Interrupts _interruptCauses;

    public Phy(RegisterBlock csr, PciDevice card, Interrupts interrupts, Action linkChanged)
    {
        _interruptCauses = interrupts;
        _mii = new MiiPhy(card, new() { Id = 0x0141_0C20 }, linkChanged);
        _specificStatus = _mii.AddRegister<ushort>(17, new() { Name = "PSSTAT", Access = RegisterAccess.ReadOnly, ResetValue = 0xA800 });
        foreach ((int number, string name, RegisterAccess access, ushort reset) in Specific)
            _mii.AddRegister<ushort>(number, new() { Name = name, Access = access, ResetValue = reset });

        Register<uint> mdic = csr.AddRegister<uint>(0x0020, new() { Name = "MDIC", WriteMask = Writable, ResetValue = 1 << 28, OnWrite = AccessRegister });
        _data = mdic.AddField<ushort>(0, 16, "DATA");
        _register = mdic.AddField<byte>(16, 5, "REGADD");
        _address = mdic.AddField<byte>(21, 5, "PHYADD");
        _operation = mdic.AddField<MdiOperation>(26, 2, "OP");
        _ready = mdic.AddFlag(28, "R");
        _interrupts = mdic.AddFlag(29, "I");
        _error = mdic.AddFlag(30, "E");
    }

    /// <summary>Whether what the card sends comes back to it.</summary>
    public bool IsLoopback => _mii.IsLoopback;

    /// <returns>Whether there is a link.</returns>
    public bool UpdateLink(bool hasCable)
    {
        _mii.Partner = hasCable ? _mii.Modes : LinkModes.None;
        _specificStatus.Update(LinkRealTime, _mii.IsLinkUp ? LinkRealTime : (ushort)0);
        return _mii.IsLinkUp;
    }

    public void Reset() => _mii.Reset();

    private void AccessRegister(RegisterWrite<uint> write)
    {
        if (write.Get(_ready))
            return; // a driver clears it to begin
        MdiOperation operation = write.Get(_operation);
        bool isOurs = write.Get(_address) == _mii.Address && operation is MdiOperation.Read or MdiOperation.Write;
        if (isOurs && operation == MdiOperation.Read)
            _data.Value = _mii.Read(write.Get(_register));
        else if (isOurs)
            _mii.Write(write.Get(_register), write.Get(_data));
        _error.Value = !isOurs;
        _ready.Value = true;
        if (write.Get(_interrupts))
            _interruptCauses.Raise(InterruptCauses.MdioAccessComplete);
    }
}
