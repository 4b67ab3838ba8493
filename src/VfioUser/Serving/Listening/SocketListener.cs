using System.Net.Sockets;
using System.Runtime.InteropServices;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>A listening AF_UNIX socket.</summary>
internal sealed class SocketListener : IClientSource
{
    private const int Backlog = 16;

    private readonly SafeSocketHandle _socket;
    private SocketFile? _file;

    private SocketListener(Socket socket, string address, SocketFile? file)
    {
        // of our own: the runtime's one waits for whoever polls it when it is closed
        _socket = SocketCalls.Duplicate(socket.SafeHandle);
        ListeningCalls.SetNonBlocking(_socket);
        Address = address;
        _file = file;
    }

    public string Address { get; }

    public static SocketListener OnPath(string path, UnixFileMode mode)
    {
        // what the system says of it is "cannot assign requested address"
        if (Path.GetDirectoryName(Path.GetFullPath(path)) is { } folder && !Directory.Exists(folder))
            throw new IOException($"Cannot listen on '{path}': there is no folder '{folder}'.");
        using Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            SocketFile file = SocketFile.Create(socket, path, mode, Backlog);
            try
            {
                return new SocketListener(socket, path, file);
            }
            catch
            {
                file.Remove();
                throw;
            }
        }
        catch (SocketException e)
        {
            throw new IOException($"Cannot listen on '{path}': {e.Message}", e);
        }
    }

    public static SocketListener OnAbstractName(string name)
    {
        using Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            socket.Bind(new UnixDomainSocketEndPoint("\0" + name));
            socket.Listen(Backlog);
            return new SocketListener(socket, "@" + name, file: null);
        }
        catch (SocketException e)
        {
            throw new IOException($"Cannot listen on the abstract name '{name}': {e.Message}", e);
        }
    }

    public SafeSocketHandle? TryNext() => TryAccept(_socket);

    public SafeHandle Listening => _socket;

    public void Dispose()
    {
        // first the name, and once: later on it may be another server's
        Interlocked.Exchange(ref _file, null)?.Remove();
        _socket.Dispose();
    }

    /// <summary>Lets in who waits, if somebody does.</summary>
    /// <param name="listening">In non-blocking mode.</param>
    /// <exception cref="IOException">None can be let in now, but perhaps later.</exception>
    internal static SafeSocketHandle? TryAccept(SafeSocketHandle listening)
    {
        SafeSocketHandle? client = AcceptCalls.TryAccept(listening, out Errno errno);
        return errno switch
        {
            Errno.None or Errno.EAGAIN => client,
            Errno.EMFILE => throw new IOException("accept failed: no descriptor or memory is left"),
            _ => throw new SocketException((int)errno, $"accept failed: {errno}"),
        };
    }
}
