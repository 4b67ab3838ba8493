using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using VfioUser.Protocol;

namespace VfioUser.Tool.Checking;

/// <summary>Messages as bytes, valid or not.</summary>
internal static class Bytes
{
    public static byte[] Of<T>(in T value)
        where T : unmanaged =>
        MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)).ToArray();

    public static int SizeOf<T>()
        where T : unmanaged =>
        Unsafe.SizeOf<T>();

    /// <summary>A command with its header.</summary>
    public static byte[] Message(ushort id, Command command, ReadOnlySpan<byte> payload, MessageFlags flags = MessageFlags.Command) =>
        [.. Of(new MessageHeader(id, command, (uint)(MessageHeader.WireSize + payload.Length), flags, 0)), .. payload];
}
