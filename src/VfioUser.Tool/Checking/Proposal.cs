using System.Text;
using VfioUser.Protocol;

namespace VfioUser.Tool.Checking;

/// <summary>Payloads of VERSION, valid or not.</summary>
internal static class Proposal
{
    /// <summary>Roughly QEMU's proposal. No twin socket.</summary>
    public static byte[] Usual { get; } = Of("""{"capabilities":{"max_msg_fds":16,"max_data_xfer_size":1048576,"pgsizes":4096,"write_multiple":true}}""");

    /// <summary>The proposal of libvfio-user's client side and of SPDK's host.</summary>
    public static byte[] OfCLibrary { get; } = Of("""{"capabilities":{"max_msg_fds":8,"max_data_xfer_size":1048576}}""");

    public static byte[] Of(string? json, ushort major = ProtocolLimits.VersionMajor, ushort minor = ProtocolLimits.VersionMinor) =>
        json is null ? Bytes.Of(new ProtocolVersion(major, minor)) : WithText(Encoding.UTF8.GetBytes(json + "\0"), major, minor);

    public static byte[] WithText(ReadOnlySpan<byte> text, ushort major = ProtocolLimits.VersionMajor, ushort minor = ProtocolLimits.VersionMinor) =>
        [.. Bytes.Of(new ProtocolVersion(major, minor)), .. text];
}
