using System.Net.Sockets;
using VfioUser.Protocol.Interop;

namespace VfioUser.Hosting.Tests;

/// <summary>A socket as systemd makes it for a service.</summary>
internal sealed class ListeningSocket : IDisposable
{
    private const int FDupFd = 0;
    private const int AboveThoseOfTheService = 100;

    private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);

    public ListeningSocket(string path)
    {
        Path = path;
        _socket.Bind(new UnixDomainSocketEndPoint(path));
        _socket.Listen();
    }

    public string Path { get; }

    /// <summary>As <c>/proc</c> shows it: <c>socket:[number]</c>.</summary>
    public string Link => new FileInfo($"/proc/self/fd/{_socket.SafeHandle.DangerousGetHandle()}").LinkTarget!;

    /// <summary>One that programs inherit.</summary>
    public SafeSocketHandle Inheritable() => new(Libc.Fcntl(_socket.SafeHandle, FDupFd, AboveThoseOfTheService), ownsHandle: true);

    public void Dispose() => _socket.Dispose();
}
