using VfioUser.Protocol;
using VfioUser.Tool.Regions;

namespace VfioUser.Tool.Checking.Rules;

/// <summary>Reads and writes. BARs get only accesses that must be refused; all others go to configuration space.</summary>
internal static class RegionAccessRules
{
    private const string Read = "VFIO_USER_REGION_READ";
    private const string Write = "VFIO_USER_REGION_WRITE";
    private const ulong CommandRegister = 0x04;

    public static Topic Topic { get; } = new("Access",
    [
        new("read", Read, "The reply repeats offset, region and count; the data follows.", Small),
        new("read-whole", Read, "The whole configuration space can be read at once.", Whole),
        new("read-unaligned", Read, "Any offset and any number of bytes can be read.", Unaligned),
        new("read-none", Read, "A read of 0 bytes is answered without data.", None),
        new("read-behind", Read, "A read beyond the region is refused.", subject => Refuse(subject, Command.RegionRead, size => new RegionAccess(size, 0, 4))),
        new("read-across", Read, "A read across the region's end is refused.", subject => Refuse(subject, Command.RegionRead, size => new RegionAccess(size - 2, 0, 4))),
        new("read-overflow", Read, "A read whose end overflows is refused.", subject => Refuse(subject, Command.RegionRead, _ => new RegionAccess(ulong.MaxValue - 1, 0, 4))),
        new("read-no-region", Read, "A read from a region that does not exist is refused.", subject => NoRegion(subject, Command.RegionRead)),
        new("read-too-much", "Read and Write Operations", "A count above max_data_xfer_size is refused.", TooMuch),
        new("write", Write, "The reply repeats offset, region and count, and has no data.", WriteSameValue),
        new("write-read-only", Write, "Vendor and device id cannot be written.", ReadOnly),
        new("write-behind", Write, "A write beyond the region is refused.", subject => Refuse(subject, Command.RegionWrite, size => new RegionAccess(size, 0, 4))),
        new("write-across", Write, "A write across the region's end is refused.", subject => Refuse(subject, Command.RegionWrite, size => new RegionAccess(size - 2, 0, 4))),
        new("write-overflow", Write, "A write whose end overflows is refused.", subject => Refuse(subject, Command.RegionWrite, _ => new RegionAccess(ulong.MaxValue - 1, 0, 4))),
        new("write-no-region", Write, "A write to a region that does not exist is refused.", subject => NoRegion(subject, Command.RegionWrite)),
        new("write-short", Write, "A write with less data than its count is refused.", Short),
        new("wrong-way", "VFIO_USER_DEVICE_GET_REGION_INFO", "A read or write that the region's flags do not allow is refused.", DisallowedAccess),
    ])
    { NeedsDevice = true };

    private static Finding Small(Subject subject)
    {
        using Conversation session = subject.Open();
        byte[] id = session.ReadConfig(0, 4);
        return id.AsSpan().SequenceEqual(subject.Device.Config.AsSpan(0, 4)) ? Finding.Passed : throw new BrokenRuleException("two reads of the same four bytes differ");
    }

    private static Finding Whole(Subject subject)
    {
        using Conversation session = subject.Open();
        session.ReadConfig(0, (uint)subject.Device.Config.Length);
        return Finding.Passed;
    }

    private static Finding Unaligned(Subject subject)
    {
        using Conversation session = subject.Open();
        foreach ((ulong offset, uint count) in (ReadOnlySpan<(ulong, uint)>)[(1, 1), (1, 2), (3, 4), (0x2D, 3), (1, 64)])
        {
            byte[] data = session.ReadConfig(offset, count);
            // registers after the IDs may change between reads
            if (offset >= 0x2C && !data.AsSpan().SequenceEqual(subject.Device.Config.AsSpan((int)offset, (int)count)))
                throw new BrokenRuleException($"{count} bytes at 0x{offset:x} differ from a read of the whole space");
        }
        return Finding.Passed;
    }

    private static Finding None(Subject subject)
    {
        using Conversation session = subject.Open();
        Answer answer = session.Ask(Command.RegionRead, new RegionAccess(0, RegionName.Config, 0));
        session.StaysInSync();
        if (answer.IsError)
            return Finding.Warning($"it is {answer.Refusal}; the specification has no lower limit");
        if (answer.Payload.Length == 0)
            return Finding.Warning("the reply is a header alone, as libvfio-user's; the specification has 16 bytes before the data");
        return answer.AsAll<RegionAccess>().Count == 0 ? Finding.Passed : throw new BrokenRuleException("the count in the reply is not 0");
    }

    private static Finding Refuse(Subject subject, Command command, Func<ulong, RegionAccess> access)
    {
        using Conversation session = subject.Open();
        foreach (RegionInfo region in subject.Device.Regions.Where(region => region.Size > 2))
        {
            RegionAccess asked = access(region.Size) with { Region = region.Index };
            session.Refused(command, Payload(command, asked), $"4 bytes at 0x{asked.Offset:x} of {RegionName.Of(region.Index)}, which has 0x{region.Size:x},");
        }
        session.StaysInSync();
        return Finding.Passed;
    }

    private static Finding NoRegion(Subject subject, Command command)
    {
        uint count = subject.Device.Info.RegionCount;
        using Conversation session = subject.Open();
        foreach (uint index in subject.Device.Regions.Where(region => region.Size == 0).Select(region => region.Index).Append(count).Append(uint.MaxValue))
            session.Refused(command, Payload(command, new RegionAccess(0, index, 4)), $"region {index}, which has no bytes,");
        session.StaysInSync();
        return Finding.Passed;
    }

    private static Finding TooMuch(Subject subject)
    {
        using Conversation session = subject.Open();
        long most = session.Server.MaxDataTransferSize;
        if (most >= uint.MaxValue)
            return Finding.NotServed("the server has no limit");
        RegionInfo largest = subject.Device.Regions.MaxBy(region => region.Size);
        bool isServed = !session.Ask(Command.RegionRead, new RegionAccess(0, largest.Index, (uint)most + 1)).IsError;
        session.StaysInSync();
        if (isServed)
            return Finding.Warning($"{most + 1} bytes were read; the specification binds the client here, not the server");
        return largest.Size > (ulong)most ? Finding.Passed : new Finding(Verdict.Passed, "no region is larger than the limit: the read is beyond the region as well");
    }

    private static Finding WriteSameValue(Subject subject)
    {
        using Conversation session = subject.Open();
        ushort command = session.ReadConfig<ushort>(CommandRegister);
        RegionAccess done = session.WriteConfig(CommandRegister, command).AsAll<RegionAccess>();
        return done == new RegionAccess(CommandRegister, RegionName.Config, sizeof(ushort))
            ? Finding.Passed
            : throw new BrokenRuleException($"a write of 2 bytes at 4 of config is answered with {done.Count} at {done.Offset} of region {done.Region}");
    }

    private static Finding ReadOnly(Subject subject)
    {
        using Conversation session = subject.Open();
        uint id = session.ReadConfig<uint>(0);
        Answer answer = session.WriteConfig(0, ~id);
        uint after = session.ReadConfig<uint>(0);
        if (after != id)
        {
            session.WriteConfig(0, id);
            throw new BrokenRuleException($"0x{id:x8} has become 0x{after:x8}, though the register is read-only") { Heading = "PCI Local Bus 3.0, 6.2.1" };
        }
        return Finding.WarnIf(answer.IsError, $"the write is {answer.Refusal}; a bus drops it without an error");
    }

    private static Finding Short(Subject subject)
    {
        using Conversation session = subject.Open();
        session.Refused(Command.RegionWrite, [.. Bytes.Of(new RegionAccess(0, RegionName.Config, 4)), 0, 0], "count 4 and 2 bytes of data");
        session.StaysInSync();
        return Finding.Passed;
    }

    private static Finding DisallowedAccess(Subject subject)
    {
        bool any = false;
        using Conversation session = subject.Open();
        foreach (RegionInfo region in subject.Device.Regions.Where(region => region.Size > 0))
        {
            foreach ((RegionFlags flag, Command command) in (ReadOnlySpan<(RegionFlags, Command)>)[(RegionFlags.Read, Command.RegionRead), (RegionFlags.Write, Command.RegionWrite)])
            {
                if ((region.Flags & flag) != 0)
                    continue;
                any = true;
                session.Refused(command, Payload(command, new RegionAccess(0, region.Index, 4)), $"{RegionName.Of(region.Index)}, without the flag {flag},");
            }
        }
        return any ? Finding.Passed : Finding.NotServed("all regions can be read and written");
    }

    private static byte[] Payload(Command command, in RegionAccess access) =>
        command == Command.RegionRead ? Bytes.Of(access) : [.. Bytes.Of(access), 0, 0, 0, 0];
}
