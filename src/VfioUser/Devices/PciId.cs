namespace VfioUser;

/// <summary>Vendor, device and subsystem IDs, which drivers match.</summary>
/// <param name="Vendor">Vendor ID, assigned by the PCI-SIG. 0xFFFF means no device.</param>
/// <param name="Device">Device ID, chosen by the vendor.</param>
/// <param name="SubsystemVendor">Vendor of the board; 0 for none.</param>
/// <param name="Subsystem">Board, chosen by <paramref name="SubsystemVendor"/>.</param>
/// <param name="Revision">Revision of the device, chosen by the vendor.</param>
/// <remarks>Immutable. PCI 3.0 6.2.1 and 6.2.4.</remarks>
public readonly record struct PciId(
    ushort Vendor, ushort Device, ushort SubsystemVendor = 0, ushort Subsystem = 0, byte Revision = 0);
