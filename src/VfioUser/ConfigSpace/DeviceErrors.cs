namespace VfioUser;

/// <summary>Kinds of errors, as bits of Device Control, which enables their reports, and of Device Status, which says that there was
/// one. PCI Express 6.0 7.5.3.4, 7.5.3.5.</summary>
[Flags]
internal enum DeviceErrors : byte
{
    None = 0,
    Correctable = 1,
    NonFatal = 2,
    Fatal = 4,
    UnsupportedRequest = 8,
}
