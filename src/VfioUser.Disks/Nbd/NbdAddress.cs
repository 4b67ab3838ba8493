using System.Net;
using System.Net.Sockets;

namespace VfioUser.Disks;

/// <summary>Where an export is: <c>nbd://host[:port]/export</c> or <c>nbd+unix:///export?socket=path</c>. Immutable.</summary>
/// <param name="EndPoint">The server's.</param>
/// <param name="Export">Its name there; empty for the default one.</param>
internal sealed record NbdAddress(EndPoint EndPoint, string Export)
{
    public const int DefaultPort = 10809;

    // doc/proto.md: "strings"
    private const int LongestName = 4096;

    /// <exception cref="ArgumentException">It is no such address.</exception>
    public static NbdAddress Parse(string text)
    {
        if (!Uri.TryCreate(text, UriKind.Absolute, out Uri? uri))
            throw new ArgumentException($"'{text}' is no address of an NBD export.", nameof(text));
        string export = Uri.UnescapeDataString(uri.AbsolutePath.TrimStart('/'));
        if (System.Text.Encoding.UTF8.GetByteCount(export) > LongestName)
            throw new ArgumentException($"The name of an NBD export has at most {LongestName} bytes.", nameof(text));
        switch (uri.Scheme)
        {
            case "nbd" when uri.Host.Length > 0:
                int port = uri.Port > 0 ? uri.Port : DefaultPort;
                return new NbdAddress(IPAddress.TryParse(uri.Host.Trim('[', ']'), out IPAddress? address)
                    ? new IPEndPoint(address, port) : new DnsEndPoint(uri.Host, port), export);
            case "nbd+unix" when SocketOf(uri) is { Length: > 0 } path:
                return new NbdAddress(new UnixDomainSocketEndPoint(path), export);
            case "nbds" or "nbds+unix":
                throw new ArgumentException($"'{text}': NBD over TLS is not supported.", nameof(text));
            default:
                throw new ArgumentException($"'{text}' is no address of an NBD export: nbd://host[:port]/export or nbd+unix:///export?socket=path.", nameof(text));
        }
    }

    private static string? SocketOf(Uri uri) => uri.Query.TrimStart('?').Split('&')
        .Where(part => part.StartsWith("socket=", StringComparison.Ordinal)).Select(part => Uri.UnescapeDataString(part["socket=".Length..])).FirstOrDefault();
}
