using VfioUser.Protocol;

namespace VfioUser.Tool.Checking.Rules;

/// <summary>Device information, and reset.</summary>
internal static class DeviceRules
{
    private const string Heading = "VFIO_USER_DEVICE_GET_INFO";
    private const int PciRegions = 9;
    private const int PciIrqs = 5;

    public static Topic Topic { get; } = new("Device",
    [
        new("info", Heading, "The reply has 16 bytes, and argsz is 16.", subject => Info(subject, DeviceInfo.WireSize)),
        new("info-argsz-large", Heading, "An argsz larger than the reply is accepted.", subject => Info(subject, 4096)),
        new("info-argsz-small", "Message sizes", "An argsz below the fixed size is refused, or answered with the size that is needed.", ArgszSmall),
        new("info-pci", Heading, "The device is a PCI device, the only kind that is specified.", Pci),
        new("info-counts", "Device-Specific Regions", "A PCI device has the nine regions of PCI, and optionally more.", Counts),
        new("reset", "VFIO_USER_DEVICE_RESET", "A device that supports reset is reset, and the reply is a header alone.", Reset),
    ])
    { NeedsDevice = true };

    private static Finding Info(Subject subject, uint argsz)
    {
        using Conversation session = subject.Open();
        DeviceInfo info = session.Ask(Command.DeviceGetInfo, new DeviceInfo(argsz, 0, 0, 0)).AsAll<DeviceInfo>();
        return info.Argsz == DeviceInfo.WireSize ? Finding.Passed : throw new BrokenRuleException($"argsz is {info.Argsz}");
    }

    private static Finding ArgszSmall(Subject subject)
    {
        using Conversation session = subject.Open();
        Answer answer = session.Ask(Command.DeviceGetInfo, new DeviceInfo(8, 0, 0, 0));
        session.StaysInSync();
        return Finding.WarnIf(!answer.IsError && answer.Payload.Length > 8, $"{answer.Payload.Length} bytes were sent to a client that accepts 8");
    }

    private static Finding Pci(Subject subject) => (subject.Device.Info.Flags & DeviceFlags.Pci) != 0
        ? Finding.Passed
        : throw new BrokenRuleException($"VFIO_DEVICE_FLAGS_PCI is not in flags 0x{(uint)subject.Device.Info.Flags:x}");

    private static Finding Counts(Subject subject)
    {
        DeviceInfo info = subject.Device.Info;
        if (info.RegionCount is < PciRegions or > 1024)
            throw new BrokenRuleException($"num_regions is {info.RegionCount}");
        return Finding.WarnIf(info.IrqCount is < 1 or > 64, $"num_irqs is {info.IrqCount}; PCI has {PciIrqs} types");
    }

    private static Finding Reset(Subject subject)
    {
        if ((subject.Device.Info.Flags & DeviceFlags.Reset) == 0)
            return Finding.NotServed("VFIO_DEVICE_FLAGS_RESET is not set");
        using Conversation session = subject.Open();
        Answer answer = session.Ask(Command.DeviceReset, []);
        if (answer.IsError || answer.Payload.Length > 0)
            throw new BrokenRuleException(answer.IsError ? $"it was {answer.Refusal}" : $"the reply has {answer.Payload.Length} bytes of payload");
        uint id = session.ReadConfig<uint>(0);
        return id == WireFormat.Read<uint>(subject.Device.Config) ? Finding.Passed : throw new BrokenRuleException($"the device is 0x{id:x8} after it");
    }
}
