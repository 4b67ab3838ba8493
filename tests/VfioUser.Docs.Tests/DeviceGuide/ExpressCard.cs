using System.Buffers.Binary;
using VfioUser.Protocol;

namespace VfioUser.Docs.Tests.DeviceGuide;

/// <summary>Capabilities, a register of the configuration space, a ROM and a region of the device's own.</summary>
internal sealed class ExpressCard : PciDevice
{
    public ExpressCard()
        : base(new PciId(Vendor: 0x1B36, Device: 0x00E4, SubsystemVendor: 0x1B36, Subsystem: 0x0001), PciClass.NetworkOther)
    {
        Config.AddPciExpress(new PciExpressOptions { LinkSpeed = PciExpressLinkSpeed.Gen3, LinkWidth = PciExpressLinkWidth.X4 });
        Config.AddPowerManagement().AddStateChangeHandler(state => State = state);
        Config.AddDeviceSerialNumber(0x001B_36FF_FE00_0001);
        Config.AddField(0xE0, value: 0x0000_00FFu, writeMask: 0x0000_00FFu);
        Config.AddWriteHandler(0xE0, length: 4, (offset, written) => Threshold = Config.Read<byte>(0xE0));
        AddRom([0x55, 0xAA, 0x01]);
        AddDeviceRegion(DeviceRegion.VendorType(0x1B36), subtype: 1, size: 0x1000).ShareMemory();
    }

    public PowerState State { get; private set; }

    public byte Threshold { get; private set; }
}

/// <summary>A mailbox in a vendor-specific capability.</summary>
internal sealed class Mailbox : PciDevice
{
    public Mailbox()
        : base(new PciId(Vendor: 0x1B36, Device: 0x00E5), PciClass.Other)
    {
        VendorCapability mailbox = Config.AddVendorSpecific(new byte[8], VendorCapabilityAccess.Writable);
        mailbox.AddWriteHandler((offset, written) => mailbox.Write(4, BinaryPrimitives.ReverseEndianness(mailbox.Read<uint>(0))));
    }
}
