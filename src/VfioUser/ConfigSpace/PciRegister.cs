namespace VfioUser;

/// <summary>Offsets and bits of the registers in configuration space, in the specification's names.</summary>
internal static class PciRegister
{
    public const int ConventionalSize = 0x100;
    public const int ExtendedSize = 0x1000;

    // Header type 0: PCI 3.0 6.1.
    public const int HeaderSize = 0x40;
    public const int VendorId = 0x00;
    public const int DeviceId = 0x02;
    public const int Command = 0x04;
    public const int Status = 0x06;
    public const int RevisionId = 0x08;
    public const int ClassCode = 0x09;
    public const int CacheLineSize = 0x0C;
    public const int LatencyTimer = 0x0D;
    public const int Bar0 = 0x10;
    public const int SubsystemVendorId = 0x2C;
    public const int SubsystemId = 0x2E;
    public const int ExpansionRom = 0x30;
    public const int CapabilitiesPointer = 0x34;
    public const int InterruptLine = 0x3C;
    public const int InterruptPin = 0x3D;

    public const int BarCount = 6;

    // Command: PCI 3.0 6.2.2.
    public const ushort CommandIoSpace = 0x0001;
    public const ushort CommandMemorySpace = 0x0002;
    public const ushort CommandBusMaster = 0x0004;
    public const ushort CommandParityErrorResponse = 0x0040;
    public const ushort CommandSerrEnable = 0x0100;
    public const ushort CommandInterruptDisable = 0x0400;

    // Status: PCI 3.0 6.2.3.
    public const ushort StatusInterrupt = 0x0008;
    public const ushort StatusCapabilitiesList = 0x0010;
    public const ushort StatusErrors = 0xF900;
    public const ushort StatusSignaledSystemError = 0x4000;

    // BARs: PCI 3.0 6.2.5.
    public const uint BarIoSpace = 0x1;
    public const uint BarMemory64 = 0x4;
    public const uint BarPrefetchable = 0x8;
    public const uint BarMemoryFlags = 0xF;
    public const uint BarIoFlags = 0x3;
    public const uint RomAddressMask = 0xFFFF_F800;
    public const uint RomEnable = 0x1;

    // MSI and MSI-X, within the capability: PCI 3.0 6.8.1.3, 6.8.2.3.
    public const int MessageControl = 2;

    public const byte CapabilityPowerManagement = 0x01;
    public const byte CapabilityMsi = 0x05;
    public const byte CapabilityPciX = 0x07;
    public const byte CapabilityVendorSpecific = 0x09;
    public const byte CapabilityPciExpress = 0x10;
    public const byte CapabilityMsiX = 0x11;

    public const ushort ExtendedAdvancedErrorReporting = 0x0001;
    public const ushort ExtendedDeviceSerialNumber = 0x0003;
    public const ushort ExtendedVendorSpecific = 0x000B;
    public const ushort ExtendedAccessControlServices = 0x000D;
    public const ushort ExtendedAddressTranslationServices = 0x000F;
    public const ushort ExtendedSingleRootIov = 0x0010;
    public const ushort ExtendedResizableBar = 0x0015;
    public const ushort ExtendedLatencyToleranceReporting = 0x0018;
}
