using VfioUser;

namespace E1000.Device;

/// <summary>The PHY, a Marvell 88E1011, whose registers the guest reaches through MDIC. Command thread.</summary>
/// <remarks>Its registers are a device region of their own: the library then keeps, saves and names them as it does those of a BAR.</remarks>
internal sealed class Phy
{
    /// <summary>Size of the region with its registers, in bytes.</summary>
    public const int RegionSize = RegisterCount * sizeof(ushort);

    private const int RegisterCount = 32;
    private const byte Address = 1;
    private const uint Writable = 0x3FFF_FFFF;
    private const ushort LinkBits = 0x0024; // up, and what auto-negotiation found
    private const ushort LinkRealTime = 1 << 10;

    // where it is not read and written, starting with zero
    private static readonly (int Number, string Name, RegisterAccess Access, ushort Reset)[] Special =
    [
        (1, "PSTATUS", RegisterAccess.ReadOnly, 0x7949),
        (2, "PID1", RegisterAccess.ReadOnly, 0x0141),
        (3, "PID2", RegisterAccess.ReadOnly, 0x0C20),
        (4, "PANA", RegisterAccess.ReadWrite, 0x0DE1),
        (5, "PLPA", RegisterAccess.ReadOnly, 0xCDE1),
        (6, "PANE", RegisterAccess.ReadOnly, 0x0000),
        (7, "PNPT", RegisterAccess.ReadWrite, 0x2001),
        (9, "P1000CTRL", RegisterAccess.ReadWrite, 0x0E00),
        (10, "P1000STATUS", RegisterAccess.ReadOnly, 0x3C00),
        (15, "PESTATUS", RegisterAccess.ReadOnly, 0x3000),
        (16, "PSCON", RegisterAccess.ReadWrite, 0x0360),
        (17, "PSSTAT", RegisterAccess.ReadOnly, 0xA800),
        (19, "PINTS", RegisterAccess.ReadToClear, 0x0000),
        (20, "PEXTCON", RegisterAccess.ReadWrite, 0x0D60),
        (21, "PRXERR", RegisterAccess.ReadToClear, 0x0000),
    ];

    private readonly DeviceRegion _region;
    private readonly Register<uint> _mdic;
    private readonly RegisterField<ushort> _data;
    private readonly RegisterField<byte> _register, _address;
    private readonly RegisterField<MdiOperation> _operation;
    private readonly RegisterField<bool> _ready, _interrupts, _error;
    private readonly Register<PhyControl> _control;
    private readonly Register<ushort> _status, _specificStatus;
    private readonly Interrupts _interruptCauses;
    private readonly Action _changed;

    public Phy(RegisterBlock csr, DeviceRegion region, Interrupts interrupts, Action changed)
    {
        (_region, _interruptCauses, _changed) = (region, interrupts, changed);
        _mdic = csr.AddRegister<uint>(0x0020, new() { Name = "MDIC", WriteMask = Writable, ResetValue = 1 << 28, OnWrite = AccessRegister });
        _data = _mdic.AddField<ushort>(0, 16, "DATA");
        _register = _mdic.AddField<byte>(16, 5, "REGADD");
        _address = _mdic.AddField<byte>(21, 5, "PHYADD");
        _operation = _mdic.AddField<MdiOperation>(26, 2, "OP");
        _ready = _mdic.AddFlag(28, "R");
        _interrupts = _mdic.AddFlag(29, "I");
        _error = _mdic.AddFlag(30, "E");

        const PhyControl Commands = PhyControl.Reset | PhyControl.RestartAutoNegotiation;
        Register<ushort>[] registers = new Register<ushort>[RegisterCount];
        _control = region.AddRegister<PhyControl>(0, new()
        {
            Name = "PCTRL",
            ResetValue = PhyControl.AutoNegotiation | PhyControl.FullDuplex | PhyControl.Speed1000,
            SelfClearing = Commands,
            OnWrite = ControlWritten,
        });
        for (int number = 1; number < RegisterCount; number++)
        {
            (int Number, string Name, RegisterAccess Access, ushort Reset) special = Special.FirstOrDefault(entry => entry.Number == number);
            registers[number] = region.AddRegister<ushort>(number * sizeof(ushort), new()
            {
                Name = special.Name ?? $"PHY{number}",
                Access = special.Access,
                ResetValue = special.Reset,
            });
        }
        (_status, _specificStatus) = (registers[1], registers[17]);
    }

    public bool IsPowered => (_control.Value & PhyControl.PowerDown) == 0;

    /// <summary>Whether what the card sends comes back to it.</summary>
    public bool IsLoopback => (_control.Value & PhyControl.Loopback) != 0;

    public void SetLink(bool isUp)
    {
        _status.Update(LinkBits, isUp ? LinkBits : (ushort)0);
        _specificStatus.Update(LinkRealTime, isUp ? LinkRealTime : (ushort)0);
    }

    public void Reset()
    {
        _region.ResetRegisters();
        _changed();
    }

    private void ControlWritten(RegisterWrite<PhyControl> write)
    {
        if (write.Sets(PhyControl.Reset))
            Reset();
        else if (write.Changes(PhyControl.RestartAutoNegotiation | PhyControl.PowerDown | PhyControl.Loopback))
            _changed();
    }

    private void AccessRegister(RegisterWrite<uint> write)
    {
        if (write.Get(_ready))
            return; // a driver clears it to begin
        MdiOperation operation = write.Get(_operation);
        bool isOurs = write.Get(_address) == Address && operation is MdiOperation.Read or MdiOperation.Write;
        long offset = write.Get(_register) * sizeof(ushort);
        if (isOurs && operation == MdiOperation.Read)
            _data.Value = _region.Read<ushort>(offset);
        else if (isOurs)
            _region.Write(offset, write.Get(_data));
        _error.Value = !isOurs;
        _ready.Value = true;
        if (write.Get(_interrupts))
            _interruptCauses.Raise(InterruptCauses.MdioAccessComplete);
    }
}
