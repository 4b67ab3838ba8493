namespace VfioUser;

/// <summary>The class code: the kind of device, by which a guest can choose a generic driver.</summary>
/// <param name="Base">Base class, the kind of function in general.</param>
/// <param name="Sub">Sub-class, the function in particular.</param>
/// <param name="ProgIf">Programming interface: the register layout, where the sub-class has a standard one.</param>
/// <remarks>Immutable. PCI 3.0 6.2.1 and appendix D; the PCI Code and ID Assignment Specification for the newer ones.</remarks>
public readonly record struct PciClass(byte Base, byte Sub, byte ProgIf = 0)
{
    /// <summary>00 00 00: older than class codes, or in no class.</summary>
    public static PciClass Unclassified => new(0x00, 0x00, 0x00);

    /// <summary>01 00 00: SCSI bus controller.</summary>
    public static PciClass MassStorageScsi => new(0x01, 0x00, 0x00);

    /// <summary>01 06 01: SATA controller, AHCI 1.0.</summary>
    public static PciClass MassStorageAhci => new(0x01, 0x06, 0x01);

    /// <summary>01 08 02: NVM Express I/O controller.</summary>
    public static PciClass MassStorageNvme => new(0x01, 0x08, 0x02);

    /// <summary>01 80 00: any other mass storage controller.</summary>
    public static PciClass MassStorageOther => new(0x01, 0x80, 0x00);

    /// <summary>02 00 00: Ethernet controller.</summary>
    public static PciClass NetworkEthernet => new(0x02, 0x00, 0x00);

    /// <summary>02 80 00: any other network controller.</summary>
    public static PciClass NetworkOther => new(0x02, 0x80, 0x00);

    /// <summary>03 00 00: VGA-compatible display controller.</summary>
    public static PciClass DisplayVga => new(0x03, 0x00, 0x00);

    /// <summary>03 02 00: 3D controller.</summary>
    public static PciClass Display3D => new(0x03, 0x02, 0x00);

    /// <summary>03 80 00: any other display controller, such as a plain frame buffer.</summary>
    public static PciClass DisplayOther => new(0x03, 0x80, 0x00);

    /// <summary>04 01 00: audio device.</summary>
    public static PciClass MultimediaAudio => new(0x04, 0x01, 0x00);

    /// <summary>04 80 00: any other multimedia device.</summary>
    public static PciClass MultimediaOther => new(0x04, 0x80, 0x00);

    /// <summary>05 00 00: RAM.</summary>
    public static PciClass MemoryRam => new(0x05, 0x00, 0x00);

    /// <summary>05 01 00: flash memory.</summary>
    public static PciClass MemoryFlash => new(0x05, 0x01, 0x00);

    /// <summary>05 80 00: any other memory controller.</summary>
    public static PciClass MemoryOther => new(0x05, 0x80, 0x00);

    /// <summary>07 00 02: serial controller, compatible with the 16550.</summary>
    public static PciClass CommunicationSerial16550 => new(0x07, 0x00, 0x02);

    /// <summary>07 80 00: any other communication device.</summary>
    public static PciClass CommunicationOther => new(0x07, 0x80, 0x00);

    /// <summary>08 80 00: any system peripheral other than an interrupt controller, DMA controller, timer or clock.</summary>
    public static PciClass SystemPeripheral => new(0x08, 0x80, 0x00);

    /// <summary>09 80 00: any other input device, neither keyboard nor mouse.</summary>
    public static PciClass InputOther => new(0x09, 0x80, 0x00);

    /// <summary>0C 03 30: USB host controller, xHCI.</summary>
    public static PciClass SerialBusXhci => new(0x0C, 0x03, 0x30);

    /// <summary>0C 05 00: SMBus.</summary>
    public static PciClass SerialBusSmbus => new(0x0C, 0x05, 0x00);

    /// <summary>0C 80 00: any other serial bus controller.</summary>
    public static PciClass SerialBusOther => new(0x0C, 0x80, 0x00);

    /// <summary>10 80 00: any other encryption and decryption controller, neither network nor entertainment.</summary>
    public static PciClass EncryptionOther => new(0x10, 0x80, 0x00);

    /// <summary>11 00 00: data acquisition, digital inputs and outputs.</summary>
    public static PciClass SignalProcessingDpio => new(0x11, 0x00, 0x00);

    /// <summary>11 80 00: any other data acquisition or signal processing controller.</summary>
    public static PciClass SignalProcessingOther => new(0x11, 0x80, 0x00);

    /// <summary>12 00 00: processing accelerator.</summary>
    public static PciClass ProcessingAccelerator => new(0x12, 0x00, 0x00);

    /// <summary>FF 00 00: a device that fits no defined class.</summary>
    public static PciClass Other => new(0xFF, 0x00, 0x00);
}
