namespace E1000.Device;

/// <summary>Bits of EECD: the wires to the EEPROM, and who may use them.</summary>
[Flags]
internal enum EepromControl : uint
{
    Clock = 1 << 0,
    ChipSelect = 1 << 1,
    DataIn = 1 << 2,
    DataOut = 1 << 3,
    FlashWriteDisable = 1 << 4,
    FlashWriteEnable = 1 << 5,
    Request = 1 << 6,
    Grant = 1 << 7,
    Present = 1 << 8,
}
