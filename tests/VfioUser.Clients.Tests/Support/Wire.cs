using System.Runtime.InteropServices;
using VfioUser.Protocol;

namespace VfioUser.Clients.Tests;

/// <summary>Messages, byte for byte.</summary>
internal static class Wire
{
    public static byte[] Bytes<T>(T value, params ReadOnlySpan<byte> more)
        where T : unmanaged => [.. MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)), .. more];

    /// <summary>A header and what follows it.</summary>
    public static byte[] Message(ushort id, Command command, ReadOnlySpan<byte> payload, MessageFlags flags = MessageFlags.Command, uint error = 0) =>
        [.. Header(id, command, payload.Length, flags, error), .. payload];

    public static byte[] Header(ushort id, Command command, int payload, MessageFlags flags = MessageFlags.Command, uint error = 0) =>
        Bytes(new MessageHeader(id, command, (uint)(MessageHeader.WireSize + payload), flags, error));

    public static MessageHeader HeaderOf(ReadOnlySpan<byte> message) => WireFormat.Read<MessageHeader>(message);
}
