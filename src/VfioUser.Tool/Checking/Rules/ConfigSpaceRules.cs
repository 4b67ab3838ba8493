using System.Numerics;
using VfioUser.Protocol;
using VfioUser.Tool.Regions;

namespace VfioUser.Tool.Checking.Rules;

/// <summary>The parts of configuration space that every driver reads first.</summary>
internal static class ConfigSpaceRules
{
    private const int Status = 0x06;
    private const int Bars = 0x10;
    private const int FirstCapability = 0x34;
    private const byte Msi = 0x05;
    private const byte MsiX = 0x11;

    public static Topic Topic { get; } = new("Configuration space",
    [
        new("config-size", "PCI Express Base 3.0, 7.2", "Configuration space has 256 bytes, or 4096.", Size),
        new("config-access", "VFIO_USER_DEVICE_GET_REGION_INFO", "Configuration space can be read and written.", Access),
        new("config-id", "PCI Local Bus 3.0, 6.2.1", "There is a vendor, and the header is that of a device.", Id),
        new("config-capabilities", "PCI Local Bus 3.0, 6.7", "The list of capabilities is aligned, lies after the header, and ends.", Capabilities),
        new("config-extended", "PCI Express Base 3.0, 7.9", "The list of extended capabilities is aligned, lies from byte 0x100 on, and ends.", Extended),
        new("bar-sizing", "PCI Local Bus 3.0, 6.2.5.1", "A BAR of all ones reads as its size, a power of two, which is its region's.", Sizing),
        new("msix-place", "PCI Local Bus 3.0, 6.8.2", "MSI-X table and pending bits lie in BARs that have the bytes.", MsiXLocation),
        new("msix-count", "VFIO_USER_DEVICE_GET_IRQ_INFO", "MSI-X has as many vectors as its capability has.", MsiXCount),
        new("msi-count", "VFIO_USER_DEVICE_GET_IRQ_INFO", "MSI has as many vectors as its capability has.", MsiCount),
        new("intx-pin", "PCI Local Bus 3.0, 6.2.4", "There is an interrupt pin if, and only if, there is INTx.", Pin),
    ])
    { NeedsDevice = true };

    private static Finding Size(Subject subject) => subject.Device.Regions is { Count: > (int)RegionName.Config } regions && regions[(int)RegionName.Config].Size is 256 or 4096
        ? Finding.Passed
        : throw new BrokenRuleException("it has another size, or none");

    private static Finding Access(Subject subject)
    {
        const RegionFlags Both = RegionFlags.Read | RegionFlags.Write;
        RegionInfo info = subject.Device.Regions.FirstOrDefault(region => region.Index == RegionName.Config);
        return (info.Flags & Both) == Both ? Finding.Passed : throw new BrokenRuleException($"its flags are 0x{(uint)info.Flags:x}");
    }

    private static Finding Id(Subject subject)
    {
        byte[] config = subject.Device.Config;
        ushort vendor = WireFormat.Read<ushort>(config);
        if (vendor == ushort.MaxValue)
            throw new BrokenRuleException("the vendor is 0xffff, which means that there is no device");
        if ((config[0x0E] & 0x7F) != 0)
            throw new BrokenRuleException($"the header type is 0x{config[0x0E]:x2}, that of a bridge");
        return Finding.WarnIf(vendor == 0, "the vendor is 0");
    }

    private static Finding Capabilities(Subject subject)
    {
        byte[] config = subject.Device.Config;
        bool has = (WireFormat.Read<ushort>(config.AsSpan(Status)) & 0x10) != 0;
        if (!has)
            return config[FirstCapability] == 0 ? Finding.NotServed("the device has none") : Finding.Warning($"the pointer is 0x{config[FirstCapability]:x2}, though the status register has no capabilities bit");
        int[] entries = [.. List(config)];
        return entries.Length > 0 ? Finding.Passed : Finding.Warning("the status register has the capabilities bit, though the pointer is 0");
    }

    private static Finding Extended(Subject subject)
    {
        byte[] config = subject.Device.Config;
        if (config.Length < 4096)
            return Finding.NotServed("configuration space has 256 bytes");
        HashSet<uint> seen = [];
        for (uint at = 0x100; at != 0;)
        {
            if (at < 0x100 || at % 4 != 0 || at > config.Length - 4)
                throw new BrokenRuleException($"an entry lies at 0x{at:x}");
            if (!seen.Add(at))
                throw new BrokenRuleException($"it loops back to 0x{at:x}");
            uint header = WireFormat.Read<uint>(config.AsSpan((int)at));
            at = header is 0 or uint.MaxValue ? 0 : header >> 20;
        }
        return Finding.Passed;
    }

    private static Finding Sizing(Subject subject)
    {
        IReadOnlyList<RegionInfo> regions = subject.Device.Regions;
        using Conversation session = subject.Open();
        bool any = false;
        for (int bar = 0; bar < 6; bar++)
        {
            ulong at = (ulong)(Bars + 4 * bar);
            uint before = session.ReadConfig<uint>(at);
            bool isWide = (before & 0x7) == 0x4 && bar < 5;
            ulong mask = Mask(session, at, before);
            if ((before & 1) == 0 ? mask >> 4 == 0 : mask >> 2 == 0)
                mask = 0;
            ulong addressBits = (before & 1) != 0 ? mask & ~3ul : mask & ~15ul;
            if (isWide)
                addressBits |= (ulong)Mask(session, at + 4, session.ReadConfig<uint>(at + 4)) << 32;
            else if (addressBits != 0)
                addressBits |= (before & 1) != 0 && addressBits >> 16 == 0 ? 0xFFFF_FFFF_FFFF_0000 : 0xFFFF_FFFF_0000_0000;
            ulong size = addressBits == 0 ? 0 : ~addressBits + 1;
            ulong region = bar < regions.Count ? regions[bar].Size : 0;
            any |= size != 0;
            if (size != 0 && !BitOperations.IsPow2(size))
                throw new BrokenRuleException($"bar{bar} reads 0x{mask:x}, which is not a size");
            if (size != region)
                throw new BrokenRuleException($"bar{bar} has the size 0x{size:x}, its region 0x{region:x}");
            bar += isWide ? 1 : 0;
        }
        return any ? Finding.Passed : Finding.NotServed("the device has no BARs");
    }

    // the bits of the register that can be set; restores its value
    private static uint Mask(Conversation session, ulong at, uint before)
    {
        session.WriteConfig(at, uint.MaxValue);
        uint mask = session.ReadConfig<uint>(at);
        session.WriteConfig(at, before);
        uint after = session.ReadConfig<uint>(at);
        return after == before ? mask : throw new BrokenRuleException($"the register at 0x{at:x} was 0x{before:x8}, and is 0x{after:x8} after that value is written");
    }

    private static Finding MsiXLocation(Subject subject)
    {
        byte[] config = subject.Device.Config;
        if (Find(config, MsiX) is not { } at)
            return Finding.NotServed("there is no MSI-X capability");
        ulong vectors = MsiXVectors(config, at);
        foreach ((string what, int register, ulong bytes) in (ReadOnlySpan<(string, int, ulong)>)[("the table", at + 4, vectors * 16), ("the pending bits", at + 8, (vectors + 63) / 64 * 8)])
        {
            uint location = WireFormat.Read<uint>(config.AsSpan(register));
            (int bar, ulong offset) = ((int)(location & 7), location & ~7u);
            ulong size = bar < 6 && bar < subject.Device.Regions.Count ? subject.Device.Regions[bar].Size : 0;
            if (offset > size || bytes > size - offset)
                throw new BrokenRuleException($"{what} of {bytes} bytes are at 0x{offset:x} of bar{bar}, which has 0x{size:x}");
        }
        return Finding.Passed;
    }

    private static Finding MsiXCount(Subject subject)
    {
        byte[] config = subject.Device.Config;
        uint declared = Find(config, MsiX) is { } at ? MsiXVectors(config, at) : 0;
        return Counts(declared, subject.Device.Vectors(2));
    }

    private static Finding MsiCount(Subject subject)
    {
        byte[] config = subject.Device.Config;
        uint declared = Find(config, Msi) is { } at ? 1u << (config[at + 2] >> 1 & 7) : 0;
        return Counts(declared, subject.Device.Vectors(1));
    }

    private static Finding Counts(uint declared, uint served)
    {
        if (declared == served)
            return declared == 0 ? Finding.NotServed("there is none") : Finding.Passed;
        return declared == 0
            ? Finding.Warning($"there are {served} vectors, and no capability for them")
            : throw new BrokenRuleException($"the capability has {declared}, GET_IRQ_INFO {served}");
    }

    private static Finding Pin(Subject subject)
    {
        byte pin = subject.Device.Config[0x3D];
        uint served = subject.Device.Vectors(0);
        if (pin > 4)
            throw new BrokenRuleException($"Interrupt Pin is {pin}");
        if (pin == 0 && served == 0)
            return Finding.NotServed("there is neither");
        return Finding.WarnIf(pin == 0 != (served == 0), $"Interrupt Pin is {pin}, and GET_IRQ_INFO counts {served}");
    }

    private static uint MsiXVectors(byte[] config, int at) => (WireFormat.Read<ushort>(config.AsSpan(at + 2)) & 0x7FFu) + 1;

    private static int? Find(byte[] config, byte id) => (WireFormat.Read<ushort>(config.AsSpan(Status)) & 0x10) == 0
        ? null
        : List(config).Where(at => config[at] == id && at <= 0xF0).Select(at => (int?)at).FirstOrDefault();

    private static IEnumerable<int> List(byte[] config)
    {
        HashSet<int> seen = [];
        for (int at = config[FirstCapability]; at != 0; at = config[at + 1])
        {
            if (at < 0x40 || at % 4 != 0)
                throw new BrokenRuleException($"an entry lies at 0x{at:x2}");
            if (!seen.Add(at))
                throw new BrokenRuleException($"it loops back to 0x{at:x2}");
            yield return at;
        }
    }
}
