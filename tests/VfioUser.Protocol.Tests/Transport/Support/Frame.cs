namespace VfioUser.Protocol.Tests.Transport;

/// <summary>Messages as bytes.</summary>
internal static class Frame
{
    public static byte[] Message(MessageHeader header, params ReadOnlySpan<byte> payload)
    {
        byte[] bytes = new byte[MessageHeader.WireSize + payload.Length];
        WireFormat.Write(bytes, header with { MessageSize = (uint)bytes.Length });
        payload.CopyTo(bytes.AsSpan(MessageHeader.WireSize));
        return bytes;
    }

    public static byte[] Command(ushort id, Command command, params ReadOnlySpan<byte> payload) =>
        Message(new MessageHeader(id, command, 0, MessageFlags.Command, 0), payload);

    public static byte[] Reply(ushort id, Command command, params ReadOnlySpan<byte> payload) =>
        Message(new MessageHeader(id, command, 0, MessageFlags.Reply, 0), payload);

    public static byte[] Error(ushort id, Command command, Errno errno) =>
        Message(new MessageHeader(id, command, 0, MessageFlags.Reply | MessageFlags.Error, (uint)errno));

    /// <summary>A header alone, whatever size it claims.</summary>
    public static byte[] Header(uint claimedSize, ushort id = 1, Command command = Protocol.Command.RegionRead)
    {
        byte[] bytes = new byte[MessageHeader.WireSize];
        WireFormat.Write(bytes, new MessageHeader(id, command, claimedSize, MessageFlags.Command, 0));
        return bytes;
    }

    /// <summary>A command that may bring a descriptor.</summary>
    public static byte[] DmaMap(ushort id)
    {
        byte[] payload = new byte[Protocol.DmaMap.WireSize];
        WireFormat.Write(payload, new DmaMap(Protocol.DmaMap.WireSize, DmaMapFlags.Readable, 0, 0x1000u * id, 0x1000));
        return Command(id, Protocol.Command.DmaMap, payload);
    }

    /// <summary>A command that may not bring one.</summary>
    public static byte[] RegionRead(ushort id)
    {
        byte[] payload = new byte[RegionAccess.WireSize];
        WireFormat.Write(payload, new RegionAccess(id, 0, 4));
        return Command(id, Protocol.Command.RegionRead, payload);
    }

    /// <summary>A command with as much data behind it as is asked for, recognizable at every place.</summary>
    public static byte[] RegionWrite(ushort id, int dataLength)
    {
        byte[] payload = new byte[RegionAccess.WireSize + dataLength];
        WireFormat.Write(payload, new RegionAccess(0, 0, (uint)dataLength));
        Pattern(dataLength, id).CopyTo(payload, RegionAccess.WireSize);
        return Command(id, Protocol.Command.RegionWrite, payload);
    }

    public static byte[] Pattern(int length, int seed)
    {
        byte[] bytes = new byte[length];
        for (int i = 0; i < length; i++)
            bytes[i] = (byte)(i * 7 + (i >> 8) + seed);
        return bytes;
    }
}
