using System.Buffers;
using System.Net.NetworkInformation;
using VfioUser;
using VfioUser.Network;

namespace E1000.Device;

/// <summary>Intel's 82540EM, a gigabit Ethernet card: Linux drives it with e1000.</summary>
/// <remarks>
/// <para>
/// BAR 0 has the registers, BAR 2 a window to them. The parts declare theirs: <see cref="Interrupts"/>, <see cref="Eeprom"/>,
/// <see cref="Phy"/>, <see cref="Statistics"/>, <see cref="Receiver"/>, <see cref="Transmitter"/>.
/// </para>
/// <para>
/// Everything happens on the Command thread, frames from other threads included: they wait in a queue, and a post has them taken from
/// there. So there are no locks beside the queue's. Source: Intel's Software Developer's Manual for PCI and PCI-X gigabit controllers,
/// 317453; <c>drivers/net/ethernet/intel/e1000</c> of Linux.
/// </para>
/// </remarks>
public sealed class NetworkCard : PciDevice, INetworkPort
{
    /// <summary>The longest frame that it sends or receives, without check sequence.</summary>
    internal const int MaxFrameLength = 16_380;

    private static readonly PciId Pci = new(Vendor: 0x8086, Device: 0x100E, SubsystemVendor: 0x8086, Subsystem: 0x001E, Revision: 2);

    // registers that the guest writes and reads, and that change nothing here
    private static readonly (int Offset, string Name, uint WriteMask)[] Plain =
    [
        (0x0018, "CTRL_EXT", 0x00FF_9FFF),
        (0x001C, "FLA", ~0u),
        (0x0028, "FCAL", ~0u),
        (0x002C, "FCAH", 0xFFFF),
        (0x0030, "FCT", 0xFFFF),
        (0x0170, "FCTTV", 0xFFFF),
        (0x0178, "TXCW", 0xC000_FFFF),
        (0x0180, "RXCW", ~0u),
        (0x0410, "TIPG", 0x3FFF_FFFF),
        (0x0448, "TBT", ~0u),
        (0x0458, "AIT", 0xFFFF),
        (0x0E00, "LEDCTL", ~0u),
        (0x2160, "FCRTL", 0x8000_FFF8),
        (0x2168, "FCRTH", 0x8000_FFF8),
        (0x2828, "RXDCTL", ~0u),
        (0x2C00, "RSRPD", 0xFFF),
        (0x3000, "TXDMAC", ~0u),
        (0x3828, "TXDCTL", ~0u),
        (0x3830, "TSPMT", ~0u),
        (0x5800, "WUC", 0xF),
        (0x5808, "WUFC", ~0u),
        (0x5810, "WUS", ~0u),
        (0x5820, "MANC", ~0u),
        (0x5838, "IPAV", ~0u),
    ];

    private readonly Register<Control> _control;
    private readonly Register<uint> _vlanType;
    private readonly RegisterField<bool> _linkUp;
    private readonly Bar _csr;
    private readonly Interrupts _interrupts;
    private readonly Eeprom _eeprom;
    private readonly Phy _phy;
    private readonly Receiver _receiver;
    private readonly Transmitter _transmitter;
    private readonly DevicePost _work;
    private INetworkPort? _cable;

    /// <param name="options">Null for the defaults.</param>
    public NetworkCard(NetworkCardOptions? options = null)
        : base(Pci, PciClass.NetworkEthernet)
    {
        options ??= new NetworkCardOptions();
        _work = AddPost(Work);
        _csr = AddBar(0, BarKind.Memory32, size: 0x20000);
        AddWindow(AddBar(2, BarKind.Io, size: 0x40));

        _control = _csr.AddRegister<Control>(0x0000, new()
        {
            Name = "CTRL",
            ResetValue = Control.FullDuplex | Control.Speed1000,
            SelfClearing = Control.Reset,
            OnWrite = ControlWritten,
        });
        Register<uint> status = _csr.AddRegister<uint>(0x0008, new() { Name = "STATUS", Access = RegisterAccess.ReadOnly, ResetValue = 0x281 });
        _linkUp = status.AddFlag(1, "LU");
        _vlanType = _csr.AddRegister<uint>(0x0038, new() { Name = "VET", WriteMask = 0xFFFF, ResetValue = 0x8100 });
        // how the buffer is split survives a reset by the driver, which is what makes it take effect
        _csr.AddRegister<uint>(0x1000, new() { Name = "PBA", WriteMask = 0xFFFF, ResetValue = 0x0010_0030, Sticky = ~0u });
        foreach ((int offset, string name, uint mask) in Plain)
            _csr.AddRegister<uint>(offset, new() { Name = name, WriteMask = mask });
        AddTags();

        _interrupts = new Interrupts(_csr, this);
        Statistics = new Statistics(_csr);
        _eeprom = new Eeprom(_csr, Pci, options.Address);
        _phy = new Phy(_csr, this, _interrupts, UpdateLink);
        _receiver = new Receiver(_csr, this, options.ReceiveBufferSize, _interrupts, _work.Post);
        _transmitter = new Transmitter(_csr, this, options.TransmitInterruptDelay, _interrupts, _work.Post);
        _receiver.Filter.SetAddress(_eeprom.Address);
        EnableMigration(Save, Restore, _eeprom.StateSize + Transmitter.MaxStateSize);
    }

    internal Statistics Statistics { get; }

    /// <summary>Whether it takes tags off and puts them on.</summary>
    internal bool IsVlanMode => (_control.Value & Control.VlanMode) != 0;

    internal ushort VlanType => (ushort)_vlanType.Value;

    /// <summary>Plugs a cable in: the guest sees its link come up. Any thread.</summary>
    /// <param name="cable">Where the card sends to.</param>
    public void Plug(INetworkPort cable)
    {
        ArgumentNullException.ThrowIfNull(cable);
        Volatile.Write(ref _cable, cable);
        Post(UpdateLink);
    }

    /// <summary>Pulls the cable out. Any thread.</summary>
    public void Unplug()
    {
        Volatile.Write(ref _cable, null);
        Post(UpdateLink);
    }

    /// <summary>A frame comes from the cable.</summary>
    /// <inheritdoc/>
    public void Send(in NetworkFrame frame)
    {
        if (Volatile.Read(ref _cable) is not null)
            _receiver.Send(frame);
    }

    /// <summary>Declares the registers of a ring.</summary>
    /// <param name="offset">Of the first one.</param>
    /// <param name="prefix">Of their names: RD or TD.</param>
    /// <param name="tailWritten">Called when there may be more descriptors.</param>
    internal DescriptorRing AddRing(long offset, string prefix, Action tailWritten) => new(
        descriptorSize: 16,
        _csr.AddRegister<ulong>(offset, new() { Name = $"{prefix}BA", WriteMask = ~0xFul }),
        _csr.AddRegister<uint>(offset + 0x08, new() { Name = $"{prefix}LEN", WriteMask = 0xFFF80 }),
        _csr.AddRegister<uint>(offset + 0x10, new() { Name = $"{prefix}H", WriteMask = 0xFFFF }),
        _csr.AddRegister<uint>(offset + 0x18, new() { Name = $"{prefix}T", WriteMask = 0xFFFF, OnWrite = _ => tailWritten() }));

    /// <summary>The transmitter has a frame.</summary>
    /// <returns>How many frames it makes on the cable.</returns>
    internal int Transmit(in NetworkFrame frame)
    {
        int frames = Statistics.CountTransmitted(frame);
        if (_phy.IsLoopback || _receiver.IsLoopback)
            frame.SendTo(_receiver);
        else if (_linkUp.Value && Volatile.Read(ref _cable) is { } cable)
            frame.SendTo(cable);
        return frames;
    }

    /// <inheritdoc/>
    protected override void OnReset(ResetReason reason) => ResetParts();

    /// <inheritdoc/>
    protected override void OnStarted() => UpdateLink(); // it may have been moved to where no cable is

    /// <inheritdoc/>
    protected override void OnDmaMapped(DmaRegion region) => _work.Post(); // the ring may be back that was unmapped when the guest wrote its tail

    private void AddWindow(Bar io)
    {
        Register<uint> address = io.AddRegister<uint>(0x00, new() { Name = "IOADDR", WriteMask = 0x1FFFF });
        io.AddRegister<uint>(0x04, new()
        {
            Name = "IODATA",
            Migration = RegisterMigration.Skip,
            OnRead = _ => _csr.Read<uint>(address.Value & ~3u),
            OnWrite = write => _csr.Write(address.Value & ~3u, write.New),
        });
    }

    // known to be missing: diagnostics, and what wakes a machine that is off
    private void AddTags()
    {
        _csr.AddTag(0x2410, 0x20, "RDF");
        _csr.AddTag(0x3410, 0x24, "TDF");
        _csr.AddTag(0x5840, 0x50, "IPAT");
        _csr.AddTag(0x5900, 0x180, "WUP");
        _csr.AddTag(0x5F00, 0x20, "FFLT");
        _csr.AddTag(0x9000, 0x400, "FFMT");
        _csr.AddTag(0x9800, 0x400, "FFVT");
        _csr.AddTag(0x10000, 0x10000, "PBM");
    }

    private void ControlWritten(RegisterWrite<Control> write)
    {
        if (write.Sets(Control.Reset))
        {
            _csr.ResetRegisters();
            ResetParts();
        }
        else if (write.Sets(Control.PhyReset))
        {
            _phy.Reset();
            UpdateLink();
        }
        else if (write.Changes(Control.SetLinkUp))
        {
            UpdateLink();
        }
    }

    // the registers have been reset
    private void ResetParts()
    {
        _transmitter.Reset();
        _receiver.Reset();
        _receiver.Filter.SetAddress(_eeprom.Address);
        _eeprom.Reset();
        _interrupts.Reset();
        UpdateLink();
    }

    private void UpdateLink()
    {
        bool up = _phy.UpdateLink(Volatile.Read(ref _cable) is not null) && (_control.Value & Control.SetLinkUp) != 0;
        if (_linkUp.Value == up)
            return;
        _linkUp.Value = up;
        _interrupts.Raise(InterruptCauses.LinkStatusChange);
    }

    private void Work()
    {
        _receiver.Run();
        _transmitter.Run();
    }

    private void Save(IBufferWriter<byte> writer)
    {
        _eeprom.Save(writer.GetSpan(_eeprom.StateSize));
        writer.Advance(_eeprom.StateSize);
        writer.Advance(_transmitter.Save(writer.GetSpan(Transmitter.MaxStateSize)));
    }

    private void Restore(ReadOnlySpan<byte> state)
    {
        if (state.Length < _eeprom.StateSize + Transmitter.MinStateSize)
            throw new InvalidDataException("The state is too short.");
        _transmitter.Restore(state[_eeprom.StateSize..]);
        _eeprom.Restore(state[.._eeprom.StateSize]);
    }
}
