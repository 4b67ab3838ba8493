namespace VfioUser.Testing;

/// <summary>Offsets and bits that a driver uses, in the specification's names. PCI 3.0 6.1, 6.2, 6.8.</summary>
internal static class ConfigRegister
{
    public const int VendorId = 0x00;
    public const int DeviceId = 0x02;
    public const int Command = 0x04;
    public const int Status = 0x06;
    public const int RevisionId = 0x08;
    public const int HeaderType = 0x0E;
    public const int Bar0 = 0x10;
    public const int SubsystemVendorId = 0x2C;
    public const int SubsystemId = 0x2E;
    public const int ExpansionRom = 0x30;
    public const int CapabilitiesPointer = 0x34;
    public const int InterruptPin = 0x3D;
    public const int Extended = 0x100;

    public const ushort CommandIoSpace = 0x0001;
    public const ushort CommandMemorySpace = 0x0002;
    public const ushort CommandBusMaster = 0x0004;
    public const ushort CommandInterruptDisable = 0x0400;
    public const ushort StatusCapabilitiesList = 0x0010;

    public const byte CapabilityMsi = 0x05;
    public const byte CapabilityMsiX = 0x11;

    public const int MessageControl = 2;
    public const ushort MsiEnable = 0x0001;
    public const ushort MsiMultipleEnable = 0x0070;
    public const ushort MsiAddress64 = 0x0080;
    public const ushort MsiXEnable = 0x8000;
    public const ushort MsiXFunctionMask = 0x4000;
    public const ushort MsiXTableSize = 0x07FF;
}
