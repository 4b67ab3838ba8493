using VfioUser.Protocol;
using VfioUser.Tool.Regions;

namespace VfioUser.Tool.Tracing;

/// <summary>Passes on the messages that someone wants to see: those of some commands, or about some regions, with their replies.</summary>
/// <remarks>One thread. Bytes that are no whole message are always passed on. Bounded: of further outstanding commands, replies are judged alone.</remarks>
/// <param name="inner">Gets what passes.</param>
/// <param name="commands">Only these commands; all if it is empty.</param>
/// <param name="regions">Only what is about these regions; all if it is empty.</param>
/// <param name="hidesConfig">Whether to drop what is only about configuration space.</param>
internal sealed class TraceFilter(ITraceSink inner, IReadOnlySet<Command> commands, IReadOnlySet<uint> regions, bool hidesConfig) : ITraceSink
{
    private const int MaxOutstanding = 4096;

    // of RegionInfo and RegionIoFds
    private const int IndexOffset = 8;

    private readonly Dictionary<(int Client, Way Way, ushort Id), bool> _passed = [];

    public void Connected(int client, TimeSpan time) => inner.Connected(client, time);

    public void Message(in TracedMessage message)
    {
        if (Passes(message))
            inner.Message(message);
    }

    public void Disconnected(int client, TimeSpan time)
    {
        foreach ((int Client, Way, ushort) command in _passed.Keys)
        {
            if (command.Client == client)
                _passed.Remove(command);
        }
        inner.Disconnected(client, time);
    }

    private bool Passes(in TracedMessage message)
    {
        if (!message.IsWhole || !WireFormat.TryRead(message.Bytes, out MessageHeader header))
            return true;
        if (header.IsReply && _passed.Remove((message.Client, message.Way ^ Way.ToClient, header.MessageId), out bool passed))
            return passed;
        bool passes = Passes(header, message.Bytes[MessageHeader.WireSize..]);
        if (header.IsCommand && !header.NoReply && _passed.Count < MaxOutstanding)
            _passed[(message.Client, message.Way, header.MessageId)] = passes;
        return passes;
    }

    private bool Passes(in MessageHeader header, ReadOnlySpan<byte> payload)
    {
        if (commands.Count > 0 && !commands.Contains(header.Command))
            return false;
        if (regions.Count == 0 && !hidesConfig)
            return true;
        List<uint> about = RegionsOf(header, payload);
        if (hidesConfig && about.Count > 0 && about.TrueForAll(region => region == RegionName.Config))
            return false;
        return regions.Count == 0 || about.Exists(regions.Contains);
    }

    private static List<uint> RegionsOf(in MessageHeader header, ReadOnlySpan<byte> payload)
    {
        List<uint> about = [];
        switch (header.Command)
        {
            case Command.RegionRead or Command.RegionWrite when WireFormat.TryRead(payload, out RegionAccess access):
                about.Add(access.Region);
                break;
            case Command.DeviceGetRegionInfo or Command.DeviceGetRegionIoFds when payload.Length >= IndexOffset + sizeof(uint):
                about.Add(WireFormat.Read<uint>(payload[IndexOffset..]));
                break;
            case Command.RegionWriteMulti when header.IsCommand && payload.Length > RegionWriteMulti.WireSize:
                payload = payload[RegionWriteMulti.WireSize..];
                for (; WireFormat.TryRead(payload, out RegionWriteMultiEntry entry); payload = payload[RegionWriteMultiEntry.WireSize..])
                    about.Add(entry.Region);
                break;
        }
        return about;
    }
}
