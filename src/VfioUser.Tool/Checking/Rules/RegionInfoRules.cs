using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;
using VfioUser.Tool.Describing;
using VfioUser.Tool.Regions;

namespace VfioUser.Tool.Checking.Rules;

/// <summary>Descriptions of regions.</summary>
internal static class RegionInfoRules
{
    private const string Heading = "VFIO_USER_DEVICE_GET_REGION_INFO";
    private const ulong Page = ProtocolLimits.PageSize;

    public static Topic Topic { get; } = new("Regions",
    [
        new("region-info", Heading, "Each index below num_regions is answered, with that index.", Each),
        new("region-index", Heading, "An index from num_regions on is refused.", Index),
        new("region-flags", Heading, "Flags are the four that are specified, and a region without bytes cannot be mapped.", RegionFlag),
        new("region-argsz-small", "Message sizes", "An argsz below the fixed size is refused, or answered with the size that is needed.", ArgszSmall),
        new("region-argsz", "Message sizes", "If 32 bytes are too few, argsz of the fixed part is the size needed, and a request with it gets that many.", Argsz),
        new("region-capabilities", "VFIO region capabilities", "The list of capabilities stays in the message and ends.", Capabilities),
        new("region-sparse", "VFIO region info cap sparse mmap", "Mappable areas are whole pages within the region and do not overlap.", Sparse),
        new("region-mmap", Heading, "A region that can be mapped has a descriptor of a file that is large enough.", Mmap),
        new("region-io-fds", "VFIO_USER_DEVICE_GET_REGION_IO_FDS", "Sub-regions lie in their region, and their indices are of received descriptors.", IoFds),
    ])
    { NeedsDevice = true };

    private static Finding Each(Subject subject)
    {
        uint count = Math.Min(subject.Device.Info.RegionCount, 64);
        using Conversation session = subject.Open();
        for (uint i = 0; i < count; i++)
        {
            RegionInfo info = Ask(session, i, RegionInfo.WireSize).As<RegionInfo>();
            if (info.Index != i || info.Argsz < RegionInfo.WireSize)
                throw new BrokenRuleException($"{RegionName.Of(i)} is answered with index {info.Index} and argsz {info.Argsz}");
        }
        return Finding.Passed;
    }

    private static Finding Index(Subject subject)
    {
        uint count = subject.Device.Info.RegionCount;
        using Conversation session = subject.Open();
        session.Refused(Command.DeviceGetRegionInfo, new RegionInfo(RegionInfo.WireSize, 0, count, 0, 0, 0), $"index {count}");
        session.Refused(Command.DeviceGetRegionInfo, new RegionInfo(RegionInfo.WireSize, 0, uint.MaxValue, 0, 0, 0), "index 4294967295");
        return Finding.Passed;
    }

    private static Finding RegionFlag(Subject subject)
    {
        const RegionFlags Known = RegionFlags.Read | RegionFlags.Write | RegionFlags.Mmap | RegionFlags.Caps;
        foreach (RegionInfo info in subject.Device.Regions)
        {
            if ((info.Flags & ~Known) != 0 || (info.Size == 0 && (info.Flags & RegionFlags.Mmap) != 0))
                throw new BrokenRuleException($"{RegionName.Of(info.Index)} of {info.Size} bytes has flags 0x{(uint)info.Flags:x}");
        }
        return Finding.Passed;
    }

    private static Finding ArgszSmall(Subject subject)
    {
        using Conversation session = subject.Open();
        Answer answer = Ask(session, RegionName.Config, 16);
        session.StaysInSync();
        return Finding.WarnIf(!answer.IsError && answer.Payload.Length > 16, $"{answer.Payload.Length} bytes were sent to a client that accepts 16");
    }

    private static Finding Argsz(Subject subject)
    {
        bool any = false;
        using Conversation session = subject.Open();
        foreach (RegionInfo fixedPart in subject.Device.Regions.Where(info => info.Argsz > RegionInfo.WireSize))
        {
            any = true;
            string name = RegionName.Of(fixedPart.Index);
            Answer small = Ask(session, fixedPart.Index, RegionInfo.WireSize);
            if (small.Payload.Length > RegionInfo.WireSize)
                throw new BrokenRuleException($"{small.Payload.Length} bytes of {name} were sent to a client that accepts {RegionInfo.WireSize}");
            Answer full = Ask(session, fixedPart.Index, fixedPart.Argsz);
            RegionInfo info = full.As<RegionInfo>();
            if (info.Argsz != fixedPart.Argsz || full.Payload.Length != (int)info.Argsz)
                throw new BrokenRuleException($"{name} needs {fixedPart.Argsz} bytes, then {info.Argsz}, and {full.Payload.Length} were sent");
            if (info.Size != fixedPart.Size)
                throw new BrokenRuleException($"{name} has {fixedPart.Size} bytes, then {info.Size}");
        }
        return any ? Finding.Passed : Finding.NotServed("no region needs more than 32 bytes");
    }

    private static Finding Capabilities(Subject subject)
    {
        bool any = false;
        foreach ((RegionInfo info, Answer answer, IReadOnlyList<RegionCapability> capabilities) in Full(subject))
        {
            string name = RegionName.Of(info.Index);
            if ((info.Flags & RegionFlags.Caps) != 0 && info.CapOffset is < RegionInfo.WireSize)
                throw new BrokenRuleException($"{name} has capabilities at {info.CapOffset}, within the fixed part");
            if ((info.Flags & RegionFlags.Caps) == 0 && answer.Payload.Length > RegionInfo.WireSize)
                throw new BrokenRuleException($"{name} has {answer.Payload.Length} bytes without the flag for capabilities");
            any |= capabilities.Count > 0;
        }
        return any ? Finding.Passed : Finding.NotServed("no region has capabilities");
    }

    private static Finding Sparse(Subject subject)
    {
        bool any = false;
        foreach ((RegionInfo info, _, IReadOnlyList<RegionCapability> capabilities) in Full(subject))
        {
            ulong end = 0;
            foreach (SparseMmapArea area in capabilities.SelectMany(capability => capability.Areas).OrderBy(area => area.Offset))
            {
                any = true;
                string what = $"{RegionName.Of(info.Index)} of 0x{info.Size:x} bytes has an area 0x{area.Offset:x} + 0x{area.Size:x}";
                if (area.Offset > info.Size || area.Size > info.Size - area.Offset)
                    throw new BrokenRuleException($"{what}, which is not in it");
                if (area.Offset < end)
                    throw new BrokenRuleException($"{what}, which overlaps the previous one");
                if (area.Offset % Page != 0 || area.Size % Page != 0 || area.Size == 0)
                    throw new BrokenRuleException($"{what}, which is not a number of pages");
                end = area.Offset + area.Size;
            }
        }
        return any ? Finding.Passed : Finding.NotServed("no region has mappable areas");
    }

    private static Finding Mmap(Subject subject)
    {
        bool any = false;
        foreach ((RegionInfo info, Answer answer, IReadOnlyList<RegionCapability> capabilities) in Full(subject))
        {
            if ((info.Flags & RegionFlags.Mmap) == 0)
                continue;
            any = true;
            string name = RegionName.Of(info.Index);
            if (answer.FdCount == 0)
                throw new BrokenRuleException($"{name} has no descriptor");
            using SafeFileHandle file = answer.Fds!.Take(0);
            ulong needed = capabilities.SelectMany(capability => capability.Areas).Select(area => area.Offset + area.Size).DefaultIfEmpty(info.Size).Max();
            if (FileCalls.TryDescribe(file, out FileFacts facts) && facts.IsRegular && (UInt128)info.Offset + needed > facts.Length)
                throw new BrokenRuleException($"the file of {name} has 0x{facts.Length:x} bytes; the region needs 0x{needed:x} from 0x{info.Offset:x} on");
        }
        return any ? Finding.Passed : Finding.NotServed("no region can be mapped");
    }

    private static Finding IoFds(Subject subject)
    {
        bool any = false;
        foreach (RegionInfo region in subject.Device.Regions.Where(region => region.Size > 0 && region.Index <= 5))
        {
            using Conversation session = subject.Open();
            Answer answer = session.Ask(Command.DeviceGetRegionIoFds, new RegionIoFds(4096, 0, region.Index, 0));
            if (answer.IsError)
                continue;
            RegionIoFds fds = answer.As<RegionIoFds>();
            if (fds.Index != region.Index || fds.Flags != 0)
                throw new BrokenRuleException($"{RegionName.Of(region.Index)} is answered with index {fds.Index} and flags 0x{fds.Flags:x}");
            if (fds.Count == 0 || fds.Argsz > 4096)
                continue;
            any = true;
            uint size = (fds.Argsz - RegionIoFds.WireSize) / fds.Count;
            if (fds.Argsz < RegionIoFds.WireSize || size < IoEventFd.WireSize || answer.Payload.Length != (int)fds.Argsz)
                throw new BrokenRuleException($"argsz {fds.Argsz} for {fds.Count} entries, and {answer.Payload.Length} bytes were sent");
            for (uint i = 0; i < fds.Count; i++)
            {
                IoEventFd entry = WireFormat.Read<IoEventFd>(answer.Payload.AsSpan(RegionIoFds.WireSize + (int)(i * size)));
                if (entry.Offset > region.Size || entry.Size > region.Size - entry.Offset)
                    throw new BrokenRuleException($"{RegionName.Of(region.Index)} has a sub-region 0x{entry.Offset:x} + {entry.Size}, which is not in it");
                if (entry.FdIndex >= (uint)answer.FdCount && entry.FdIndex != uint.MaxValue)
                    throw new BrokenRuleException($"entry {i} names descriptor {entry.FdIndex} of {answer.FdCount}");
            }
        }
        return any ? Finding.Passed : Finding.NotServed("no region has any");
    }

    private static Answer Ask(Conversation session, uint index, uint argsz) =>
        session.Ask(Command.DeviceGetRegionInfo, new RegionInfo(argsz, 0, index, 0, 0, 0));

    // the complete descriptions, each requested over its own connection
    private static IEnumerable<(RegionInfo Info, Answer Answer, IReadOnlyList<RegionCapability> Capabilities)> Full(Subject subject)
    {
        foreach (RegionInfo region in subject.Device.Regions)
        {
            using Conversation session = subject.Open();
            Answer answer = Ask(session, region.Index, Math.Clamp(region.Argsz, RegionInfo.WireSize, 1 << 20));
            RegionInfo info = answer.As<RegionInfo>();
            IReadOnlyList<RegionCapability> capabilities;
            try
            {
                capabilities = RegionCapability.ReadAll(info, answer.Payload);
            }
            catch (VfioUser.Client.VfioUserException)
            {
                throw new BrokenRuleException($"the capabilities of {RegionName.Of(info.Index)} lead out of the message, or are a loop");
            }
            yield return (info, answer, capabilities);
        }
    }
}
