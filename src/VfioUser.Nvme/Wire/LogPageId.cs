namespace VfioUser.Nvme;

/// <summary>Log pages. NVMe 1.4 5.14.1.</summary>
internal enum LogPageId : byte
{
    Error = 0x01,
    Smart = 0x02,
    FirmwareSlot = 0x03,
    ChangedNamespaces = 0x04,
    CommandsSupportedAndEffects = 0x05,
    DeviceSelfTest = 0x06,
    AsymmetricNamespaceAccess = 0x0C,
    PersistentEvents = 0x0D,
    ReservationNotification = 0x80,
}
