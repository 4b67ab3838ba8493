namespace VfioUser.Testing;

/// <summary>A device as its driver sees it after enumeration: identity, capabilities, BARs, command register.</summary>
/// <remarks>Identity, capabilities and BARs are those of the enumeration; properties with a setter read the device. The test's
/// thread.</remarks>
public sealed partial class PciFunction
{
    private readonly TestGuest _guest;

    private PciFunction(TestGuest guest)
    {
        _guest = guest;
        VendorId = guest.Config.Read<ushort>(ConfigRegister.VendorId);
        if (VendorId == 0xFFFF)
            throw new TestGuestException("There is no device: the vendor ID reads 0xffff.");
        byte headerType = guest.Config.Read<byte>(ConfigRegister.HeaderType);
        if ((headerType & 0x7F) != 0)
            throw new TestGuestException($"The header has type {headerType & 0x7F}: it must be 0, that of a device.");
        DeviceId = guest.Config.Read<ushort>(ConfigRegister.DeviceId);
        SubsystemVendorId = guest.Config.Read<ushort>(ConfigRegister.SubsystemVendorId);
        SubsystemId = guest.Config.Read<ushort>(ConfigRegister.SubsystemId);
        uint classAndRevision = guest.Config.Read<uint>(ConfigRegister.RevisionId);
        Revision = (byte)classAndRevision;
        Class = new PciClass((byte)(classAndRevision >> 24), (byte)(classAndRevision >> 16), (byte)(classAndRevision >> 8));
        Capabilities = CapabilityLists.Read(guest.Config);
        (Bars, Rom) = new BarSizing(guest).Run();
    }

    /// <summary>Vendor ID.</summary>
    public ushort VendorId { get; }

    /// <summary>Device ID.</summary>
    public ushort DeviceId { get; }

    /// <summary>Subsystem vendor ID.</summary>
    public ushort SubsystemVendorId { get; }

    /// <summary>Subsystem ID.</summary>
    public ushort SubsystemId { get; }

    /// <summary>Revision ID.</summary>
    public byte Revision { get; }

    /// <summary>Class code.</summary>
    public PciClass Class { get; }

    /// <summary>All IDs in one.</summary>
    public PciId Id => new(VendorId, DeviceId, SubsystemVendorId, SubsystemId, Revision);

    /// <summary>Capabilities in the order of their list, then the extended ones in the order of theirs.</summary>
    public IReadOnlyList<GuestCapability> Capabilities { get; }

    /// <summary>The BARs that there are, in order.</summary>
    public IReadOnlyList<GuestBar> Bars { get; }

    /// <summary>The expansion ROM; null without one.</summary>
    public GuestBar? Rom { get; }

    /// <summary>Reads the Command register.</summary>
    public PciCommands ReadCommand() => (PciCommands)_guest.Config.Read<ushort>(ConfigRegister.Command);

    /// <summary>Sets bits of the Command register.</summary>
    public void SetCommand(PciCommands bits) => WriteCommand(ReadCommand() | bits);

    /// <summary>Clears bits of the Command register.</summary>
    public void ClearCommand(PciCommands bits) => WriteCommand(ReadCommand() & ~bits);

    /// <summary>Writes the Command register.</summary>
    public void WriteCommand(PciCommands bits) => _guest.Config.Write(ConfigRegister.Command, (ushort)bits);

    /// <summary>A BAR, by its number.</summary>
    /// <exception cref="TestGuestException">The device does not have it.</exception>
    public GuestBar Bar(int number) => Bars.FirstOrDefault(bar => (int)bar.Index == number)
        ?? throw new TestGuestException($"There is no BAR {number}, but: {(Bars.Count == 0 ? "none" : string.Join("; ", Bars))}.");

    /// <summary>The first capability with an ID, in the first 256 bytes; null when there is none.</summary>
    public GuestCapability? FindCapability(byte id) => Capabilities.FirstOrDefault(capability => !capability.IsExtended && capability.Id == id);

    /// <summary>The first extended capability with an ID; null when there is none.</summary>
    public GuestCapability? FindExtendedCapability(ushort id) => Capabilities.FirstOrDefault(capability => capability.IsExtended && capability.Id == id);

    /// <summary>Enables the address spaces that the device has BARs in, and bus mastering.</summary>
    public void Enable()
    {
        bool io = Bars.Any(bar => bar.Kind == BarKind.Io);
        bool memory = Rom is not null || Bars.Any(bar => bar.Kind != BarKind.Io);
        SetCommand((io ? PciCommands.IoSpace : 0) | (memory ? PciCommands.MemorySpace : 0) | PciCommands.BusMaster);
    }

    internal static PciFunction Enumerate(TestGuest guest) => new(guest);
}
