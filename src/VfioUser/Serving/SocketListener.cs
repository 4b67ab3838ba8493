using System.Net.Sockets;
using System.Runtime.InteropServices;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>A listening AF_UNIX socket.</summary>
internal sealed class SocketListener : IClientSource
{
    private readonly Socket _socket;
    private string? _path;

    private SocketListener(Socket socket, string address, string? path)
    {
        _socket = socket;
        Address = address;
        _path = path;
    }

    public string Address { get; }

    public static SocketListener OnPath(string path, UnixFileMode mode)
    {
        // what the system says of it is "cannot assign requested address"
        if (Path.GetDirectoryName(Path.GetFullPath(path)) is { } folder && !Directory.Exists(folder))
            throw new IOException($"Cannot listen on '{path}': there is no folder '{folder}'.");
        RemoveStale(path);
        Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            socket.Bind(new UnixDomainSocketEndPoint(path));
            // before listening: until then nobody can connect, whatever the umask let through
            if (OperatingSystem.IsLinux())
                File.SetUnixFileMode(path, mode);
            socket.Listen(backlog: 16);
            return new SocketListener(socket, path, path);
        }
        catch (SocketException e)
        {
            socket.Dispose();
            throw new IOException($"Cannot listen on '{path}': {e.Message}", e);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    public static SocketListener OnAbstractName(string name)
    {
        Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            socket.Bind(new UnixDomainSocketEndPoint("\0" + name));
            socket.Listen(backlog: 16);
            return new SocketListener(socket, "@" + name, path: null);
        }
        catch (SocketException e)
        {
            socket.Dispose();
            throw new IOException($"Cannot listen on the abstract name '{name}': {e.Message}", e);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    public SafeSocketHandle? Next(CancellationToken cancellation)
    {
        try
        {
            using Socket client = _socket.AcceptAsync(cancellation).AsTask().GetAwaiter().GetResult();
            return SocketCalls.Duplicate(client.SafeHandle);
        }
        catch (ObjectDisposedException)
        {
            return null;
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.OperationAborted or SocketError.Interrupted)
        {
            return null;
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.TooManyOpenSockets)
        {
            throw new IOException($"accept failed: {e.Message}", e);
        }
    }

    public SafeSocketHandle? TryNext()
    {
        // as the runtime does it for the asynchronous accept
        _socket.Blocking = false;
        return TryAccept(_socket.SafeHandle);
    }

    public SafeHandle Listening => _socket.SafeHandle;

    public void Dispose()
    {
        _socket.Dispose();
        // once: later on the path may be another server's
        if (Interlocked.Exchange(ref _path, null) is { } path)
            File.Delete(path);
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

    // A socket file stays when its server dies. Whether one is alive only a connection tells.
    private static void RemoveStale(string path)
    {
        if (!File.Exists(path))
            return;
        // not to wait: a live server with many clients in its queue answers no one
        using Socket probe = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { Blocking = false };
        try
        {
            probe.Connect(new UnixDomainSocketEndPoint(path));
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionRefused)
        {
            if (!FileCalls.IsSocket(path))
                throw new IOException($"'{path}' exists and is no socket. Remove it or choose another path.", e);
            File.Delete(path);
            return;
        }
        catch (SocketException e)
        {
            throw new IOException($"'{path}' is in use, or cannot be asked: {e.Message}", e);
        }
        throw new IOException($"A server is listening on '{path}' already. Stop it or choose another path.");
    }
}
