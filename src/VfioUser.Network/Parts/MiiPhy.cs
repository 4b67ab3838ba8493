using System.Numerics;
using System.Runtime.CompilerServices;

namespace VfioUser.Network;

/// <summary>An Ethernet PHY: the registers of IEEE 802.3 clause 22 and the link that they control, to which a device adds those of its
/// PHY's vendor.</summary>
/// <remarks>
/// <para>The device has the way to the registers: a management register of a card, which calls <see cref="Read"/> and
/// <see cref="Write"/>. The link follows what is at the other end (<see cref="Partner"/>), and what the driver allows: auto-negotiation,
/// a forced mode, power down, loopback. It is up at once, without the seconds that a real one takes.</para>
/// <para>The registers are those of a device region, so that they are named, dumped and migrated like those of a BAR; its type is
/// 0x80001b36, its subtype 0x4d494900 and the address. Setup for the constructor and <see cref="AddRegister"/>, Command thread for the other
/// members. A reset of the device resets the registers; a partner is no part of the state, and is set by the device where it runs.</para>
/// <para>Source: IEEE 802.3 22.2.4 "Management functions", 28.2 "Auto-Negotiation", 40.5.1.1; <c>linux/mii.h</c> for names.</para>
/// </remarks>
public sealed class MiiPhy : DevicePart
{
    private const int RegisterCount = 32;
    private const ushort RegionVendor = 0x1B36;
    private const uint RegionSubtype = 0x4D49_4900; // "MII", and the address
    private const ushort Selector802Dot3 = 1;
    private const ushort Acknowledge = 1 << 14;
    private const ushort NullPage = 0x2001; // what comes after the pages that speak of 1000 Mb/s
    private const ushort PartnerNegotiates = 1 << 0;
    private const ushort ReceiversOk = 3 << 12;
    private const LinkModes Gigabit = LinkModes.Half1000 | LinkModes.Full1000;
    private const LinkModes AnySpeed = LinkModes.Half10 | LinkModes.Full10 | LinkModes.Half100 | LinkModes.Full100 | Gigabit;

    private const MiiControl OfLink = MiiControl.AutoNegotiation | MiiControl.Speed100 | MiiControl.Speed1000 | MiiControl.FullDuplex
        | MiiControl.PowerDown | MiiControl.Loopback | MiiControl.Isolate;

    private readonly DeviceRegion _region;
    private readonly Action _linkChanged;
    private readonly Register<MiiControl> _control;
    private readonly Register<MiiStatus> _status;
    private readonly Register<ushort> _advertised, _partner, _expansion;
    private readonly Register<ushort>? _gigabitAdvertised, _gigabitPartner;
    private LinkModes _mode; // the one that is used, if the link is up
    private bool _wasLost; // and the driver has not read so

    /// <summary>Adds a PHY to a device.</summary>
    /// <param name="device">The device.</param>
    /// <param name="options">What it is.</param>
    /// <param name="linkChanged">Called when the driver has written or reset what the link follows from: the device looks at the link. Not
    /// called for what the device does itself.</param>
    /// <exception cref="ArgumentException">The address is not 0 to 31, or it has no mode.</exception>
    /// <exception cref="InvalidOperationException">The device is being served.</exception>
    public MiiPhy(PciDevice device, MiiPhyOptions options, Action linkChanged)
        : base(device)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(linkChanged);
        if (options.Address is < 0 or >= RegisterCount)
            throw new ArgumentException($"An address of {options.Address}: take 0 to 31.", nameof(options));
        if ((options.Modes & AnySpeed) == 0)
            throw new ArgumentException("The PHY can do nothing: name its modes.", nameof(options));
        (Address, Modes, _linkChanged) = (options.Address, options.Modes, linkChanged);
        _region = device.AddDeviceRegion(DeviceRegion.VendorType(RegionVendor), RegionSubtype | (uint)Address, RegisterCount * sizeof(ushort));

        bool hasGigabit = (Modes & Gigabit) != 0;
        _control = AddRegister<MiiControl>(0, new()
        {
            Name = "BMCR",
            ResetValue = ControlAtReset(),
            WriteMask = OfLink & (hasGigabit ? OfLink : ~MiiControl.Speed1000) | MiiControl.CollisionTest,
            SelfClearing = MiiControl.Reset | MiiControl.RestartAutoNegotiation,
            OnWrite = ControlWritten,
        });
        _status = AddRegister<MiiStatus>(1, new()
        {
            Name = "BMSR",
            Access = RegisterAccess.ReadOnly,
            ResetValue = (MiiStatus)(((int)Modes & 0xF) << 11) | (hasGigabit ? MiiStatus.ExtendedStatus : 0)
                | MiiStatus.PreambleSuppression | MiiStatus.CanAutoNegotiate | MiiStatus.ExtendedRegisters,
            OnRead = ReadStatus,
        });
        AddConstant(2, "PHYSID1", (ushort)(options.Id >> 16));
        AddConstant(3, "PHYSID2", (ushort)options.Id);
        _advertised = AddRegister<ushort>(4, new() { Name = "ADVERTISE", ResetValue = PageOf(Modes) });
        _partner = AddConstant(5, "LPA", 0);
        _expansion = AddConstant(6, "EXPANSION", 0);
        if (!hasGigabit)
            return;
        AddRegister<ushort>(7, new() { Name = "NPTX", ResetValue = NullPage });
        AddConstant(8, "NPRX", 0);
        _gigabitAdvertised = AddRegister<ushort>(9, new() { Name = "CTRL1000", ResetValue = (ushort)(GigabitBits(Modes) << 8) });
        _gigabitPartner = AddConstant(10, "STAT1000", 0);
        AddConstant(15, "ESTATUS", (ushort)(GigabitBits(Modes) << 12));
    }

    /// <summary>At which it answers on the management bus, 0 to 31.</summary>
    public int Address { get; }

    /// <summary>What it can do.</summary>
    public LinkModes Modes { get; }

    /// <summary>What is at the other end of the cable; none at first. The link follows.</summary>
    public LinkModes Partner
    {
        get;
        set
        {
            field = value;
            Negotiate();
        }
    }

    /// <summary>Whether there is a link: to the partner, or in loopback.</summary>
    public bool IsLinkUp => _mode != LinkModes.None;

    /// <summary>Speed of the link in Mb/s: 10, 100 or 1000; 0 without a link.</summary>
    public int Speed => _mode switch
    {
        LinkModes.None => 0,
        LinkModes.Half10 or LinkModes.Full10 => 10,
        LinkModes.Half100 or LinkModes.Full100 => 100,
        _ => 1000,
    };

    /// <summary>Whether both ends may send at the same time; false without a link.</summary>
    public bool IsFullDuplex => (_mode & (LinkModes.Full10 | LinkModes.Full100 | LinkModes.Full1000)) != 0;

    /// <summary>Whether what the device sends comes back to it.</summary>
    public bool IsLoopback => (_control.Value & MiiControl.Loopback) != 0;

    /// <summary>Whether the driver has separated it from the device: no frames pass.</summary>
    public bool IsIsolated => (_control.Value & MiiControl.Isolate) != 0;

    /// <summary>Adds a register of the vendor's, 16 to 31, or one of the standard that is not there: 11 to 14, and without 1000 Mb/s 7 to 10
    /// and 15.</summary>
    /// <typeparam name="T">A <see cref="ushort"/>, or an enumeration of that width.</typeparam>
    /// <param name="number">0 to 31.</param>
    /// <param name="options">What it is.</param>
    /// <exception cref="ArgumentException">It is there already, or has not 16 bits.</exception>
    /// <exception cref="InvalidOperationException">The device is being served.</exception>
    public Register<T> AddRegister<T>(int number, RegisterOptions<T> options)
        where T : unmanaged
    {
        CheckNumber(number);
        if (Unsafe.SizeOf<T>() != sizeof(ushort))
            throw new ArgumentException($"A register of a PHY has 16 bits, and {typeof(T).Name} has {Unsafe.SizeOf<T>() * 8}.", nameof(options));
        return _region.AddRegister(number * sizeof(ushort), options);
    }

    /// <summary>The driver reads a register.</summary>
    /// <param name="number">0 to 31.</param>
    /// <returns>Its value; 0 for one that is not there.</returns>
    public ushort Read(int number)
    {
        CheckNumber(number);
        return _region.Read<ushort>(number * sizeof(ushort));
    }

    /// <summary>The driver writes a register.</summary>
    /// <param name="number">0 to 31.</param>
    /// <param name="value">Any; what cannot be written is dropped.</param>
    public void Write(int number, ushort value)
    {
        CheckNumber(number);
        _region.Write(number * sizeof(ushort), value);
    }

    /// <summary>Resets its registers, the vendor's too: for a card whose driver can do so by another register.</summary>
    public void Reset()
    {
        _region.ResetRegisters();
        AfterReset();
    }

    /// <inheritdoc/>
    protected override void OnReset(ResetReason reason) => AfterReset();

    /// <inheritdoc/>
    protected override void OnStarted() => Negotiate(); // registers may have come with a migration

    private static void CheckNumber(int number)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(number);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(number, RegisterCount);
    }

    // registers 4 and 5
    private static ushort PageOf(LinkModes modes) => (ushort)(((int)modes & 0xF) << 5 | ((int)modes >> 6 & 3) << 10 | Selector802Dot3);

    // the two bits of registers 9, 10 and 15
    private static int GigabitBits(LinkModes modes) => (int)modes >> 4 & 3;

    // the modes are in the order of their priority; 28B.3, 40C
    private static LinkModes BestOf(LinkModes modes) =>
        (modes & AnySpeed) == 0 ? LinkModes.None : (LinkModes)(1 << BitOperations.Log2((uint)(modes & AnySpeed)));

    private Register<ushort> AddConstant(int number, string name, ushort value) =>
        AddRegister<ushort>(number, new() { Name = name, Access = RegisterAccess.ReadOnly, ResetValue = value });

    private MiiControl ControlAtReset()
    {
        LinkModes best = BestOf(Modes);
        return MiiControl.AutoNegotiation
            | (best >= LinkModes.Half1000 ? MiiControl.Speed1000 : best >= LinkModes.Half100 ? MiiControl.Speed100 : 0)
            | (best is LinkModes.Full10 or LinkModes.Full100 or LinkModes.Full1000 ? MiiControl.FullDuplex : 0);
    }

    private void ControlWritten(RegisterWrite<MiiControl> write)
    {
        if (write.Sets(MiiControl.Reset))
            Reset();
        else if (write.Changes(OfLink | MiiControl.RestartAutoNegotiation))
            Negotiate();
        else
            return;
        _linkChanged();
    }

    // A link that was lost is told of once, also when it is back. 22.2.4.2.13
    private MiiStatus ReadStatus(MiiStatus stored)
    {
        _wasLost = false;
        if (IsLinkUp)
            _status.SetBits(MiiStatus.LinkUp);
        return stored;
    }

    private void AfterReset()
    {
        (_mode, _wasLost) = (LinkModes.None, false);
        Negotiate();
    }

    private void Negotiate()
    {
        MiiControl control = _control.Value;
        bool negotiates = (control & MiiControl.AutoNegotiation) != 0;
        bool isNegotiated = negotiates && BestOf(Partner) != LinkModes.None && (control & (MiiControl.PowerDown | MiiControl.Loopback)) == 0;
        bool wasUp = IsLinkUp;
        _mode = (control & MiiControl.PowerDown) != 0 ? LinkModes.None : negotiates ? Negotiated(control) : Forced(control);
        _wasLost |= wasUp && !IsLinkUp;

        LinkModes partner = isNegotiated ? Partner : LinkModes.None;
        _partner.Value = isNegotiated ? (ushort)(PageOf(partner) | Acknowledge) : (ushort)0;
        _expansion.Update(PartnerNegotiates, isNegotiated ? PartnerNegotiates : (ushort)0);
        _gigabitPartner?.Value = (ushort)(GigabitBits(partner) << 10 | ((_mode & Gigabit) != 0 ? ReceiversOk : 0));
        MiiStatus status = (IsLinkUp && !_wasLost ? MiiStatus.LinkUp : 0) | (isNegotiated && IsLinkUp ? MiiStatus.AutoNegotiated : 0);
        _status.Update(MiiStatus.LinkUp | MiiStatus.AutoNegotiated, status);
    }

    private LinkModes Negotiated(MiiControl control)
    {
        int page = _advertised.Value >> 5 & 0xF;
        int gigabit = (_gigabitAdvertised?.Value ?? 0) >> 8 & 3;
        LinkModes own = (LinkModes)(page | gigabit << 4) & Modes;
        return BestOf((control & MiiControl.Loopback) != 0 ? Modes : own & Partner);
    }

    // a partner of the same speed finds it by itself; 28.2.3.1
    private LinkModes Forced(MiiControl control)
    {
        int speed = (control & MiiControl.Speed1000) != 0 ? 2 : (control & MiiControl.Speed100) != 0 ? 1 : 0;
        LinkModes half = (LinkModes)(1 << (2 * speed));
        LinkModes full = (LinkModes)(2 << (2 * speed));
        bool hasLink = (control & MiiControl.Loopback) != 0 || (Partner & Modes & (half | full)) != 0;
        return !hasLink ? LinkModes.None : (control & MiiControl.FullDuplex) != 0 ? full : half;
    }
}
