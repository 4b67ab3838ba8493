using VfioUser;

/// <summary>The smallest device that a client accepts: an identity. It has no memory, no registers, no interrupts.</summary>
public sealed class NullDevice()
    : PciDevice(new PciId(Vendor: 0x1B36, Device: 0x00F0), PciClass.Unclassified);
