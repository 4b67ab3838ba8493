using VfioUser.Protocol;
using VfioUser.Tool.Regions;

namespace VfioUser.Tool.Checking;

/// <summary>Accesses to configuration space, the one region whose reads have no side effects.</summary>
internal static class ConfigAccess
{
    public static byte[] ReadConfig(this Conversation session, ulong offset, uint count)
    {
        Answer answer = session.Ask(Command.RegionRead, new RegionAccess(offset, RegionName.Config, count));
        RegionAccess done = answer.As<RegionAccess>();
        byte[] data = answer.Payload[RegionAccess.WireSize..];
        if (done != new RegionAccess(offset, RegionName.Config, count) || data.Length != (int)count)
            throw new BrokenRuleException($"a read of {count} bytes at 0x{offset:x} of config is answered with {done.Count} at 0x{done.Offset:x} of region {done.Region}, and {data.Length} bytes of data");
        return data;
    }

    public static T ReadConfig<T>(this Conversation session, ulong offset)
        where T : unmanaged =>
        WireFormat.Read<T>(session.ReadConfig(offset, (uint)Bytes.SizeOf<T>()));

    public static Answer WriteConfig<T>(this Conversation session, ulong offset, T value)
        where T : unmanaged =>
        session.Ask(Command.RegionWrite, WriteOf(RegionName.Config, offset, Bytes.Of(value)));

    /// <summary>The payload of a write.</summary>
    public static byte[] WriteOf(uint region, ulong offset, ReadOnlySpan<byte> data) =>
        [.. Bytes.Of(new RegionAccess(offset, region, (uint)data.Length)), .. data];
}
