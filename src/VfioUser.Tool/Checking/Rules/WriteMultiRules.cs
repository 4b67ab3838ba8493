using VfioUser.Protocol;
using VfioUser.Tool.Regions;

namespace VfioUser.Tool.Checking.Rules;

/// <summary>Several writes in one message. They go to the vendor ID, which is read-only.</summary>
internal static class WriteMultiRules
{
    private const string Heading = "VFIO_USER_REGION_WRITE_MULTI";

    public static Topic Topic { get; } = new("Write multiple",
    [
        new("write-multi", Heading, "The reply counts the writes that were done.", Done),
        new("write-multi-short", Heading, "A count above the writes that came is refused.", Short),
        new("write-multi-wide", Heading, "A write of more than 8 bytes is refused.", Wide),
        new("write-multi-huge", Heading, "A count whose size overflows is refused.", Huge),
    ]);

    private static Finding Done(Subject subject)
    {
        using Conversation session = subject.Open();
        if (!session.Server.WriteMultiple)
            return NotNegotiated;
        ulong done = session.Ask(Command.RegionWriteMulti, Payload(2, 2, 4)).AsAll<RegionWriteMulti>().WriteCount;
        return done == 2 ? Finding.Passed : throw new BrokenRuleException($"2 writes are answered with {done}");
    }

    private static Finding Short(Subject subject) => Refused(subject, Payload(3, 2, 4), "count 3 and 2 writes");

    private static Finding Wide(Subject subject) => Refused(subject, Payload(1, 1, 9), "a write of 9 bytes");

    private static Finding Huge(Subject subject) => Refused(subject, Payload(ulong.MaxValue / RegionWriteMultiEntry.WireSize + 2, 1, 4), "a count near 2^64 / 24");

    private static Finding Refused(Subject subject, byte[] payload, string what)
    {
        using Conversation session = subject.Open();
        if (!session.Server.WriteMultiple)
            return NotNegotiated;
        session.Refused(Command.RegionWriteMulti, payload, what);
        session.StaysInSync();
        return Finding.Passed;
    }

    private static Finding NotNegotiated => Finding.NotServed("write_multiple is not granted");

    private static byte[] Payload(ulong count, int entries, uint bytes) =>
    [
        .. Bytes.Of(new RegionWriteMulti(count)),
        .. Enumerable.Repeat(Bytes.Of(new RegionWriteMultiEntry(0, RegionName.Config, bytes, 0)), entries).SelectMany(entry => entry),
    ];
}
