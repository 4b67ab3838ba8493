using System.Text;

namespace VfioUser.Protocol.Tests.Negotiation;

/// <summary>Version messages as a peer might send them.</summary>
internal static class Payload
{
    /// <summary>What QEMU 11.1 proposes, byte for byte after the version (seen on the wire).</summary>
    public const string Qemu =
        """{"capabilities": {"pgsizes": 4096, "max_msg_fds": 16, "max_dma_maps": 65535, "max_data_xfer_size": """ +
        """1048576, "migration": {"max_bitmap_size": 268435456, "pgsize": 4096}, "write_multiple": true}}""";

    /// <summary>What the Rust crate's client proposes, as version 0.1.</summary>
    public const string Rust =
        """{"capabilities":{"max_msg_fds":1,"max_data_xfer_size":1048576,"migration":{"pgsize":4096}}}""";

    public static byte[] Of(string json, ushort major = 0, ushort minor = 1) =>
        [.. Version(major, minor), .. Encoding.UTF8.GetBytes(json), 0];

    public static byte[] Raw(ReadOnlySpan<byte> data) => [.. Version(0, 1), .. data];

    public static byte[] Version(ushort major, ushort minor) =>
        [(byte)major, (byte)(major >> 8), (byte)minor, (byte)(minor >> 8)];

    /// <summary>A payload that must be accepted.</summary>
    public static Capabilities Parse(string json)
    {
        Errno errno = VersionMessage.TryParse(Of(json), out _, out Capabilities capabilities, out string? problem);

        problem.Should().BeNull();
        errno.Should().Be(Errno.None);
        return capabilities;
    }

    /// <summary>The JSON text of a payload of ours, which must end in its only NUL.</summary>
    public static string Text(byte[] payload)
    {
        payload[^1].Should().Be(0);
        return Encoding.UTF8.GetString(payload.AsSpan()[ProtocolVersion.WireSize..^1]);
    }
}
