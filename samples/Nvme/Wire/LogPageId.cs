namespace Nvme.Wire;

/// <summary>Log pages. NVMe 1.4 5.14.1; the list of supported ones is version 2.0's.</summary>
internal enum LogPageId : byte
{
    Supported = 0x00,
    Error = 0x01,
    Smart = 0x02,
    FirmwareSlot = 0x03,
    CommandsSupportedAndEffects = 0x05,
}
