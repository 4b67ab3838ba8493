using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>A listening AF_UNIX socket.</summary>
internal sealed class SocketListener : IClientSource
{
    private const int Backlog = 16;
    private const int MaxNameBytes = 107;

    private readonly SafeSocketHandle _socket;
    private SocketFile? _file;

    private SocketListener(Socket socket, string address, SocketFile? file)
    {
        // a duplicate, since closing the runtime's handle would wait for a thread that polls it
        _socket = SocketCalls.Duplicate(socket.SafeHandle);
        ListeningCalls.SetNonBlocking(_socket);
        Address = address;
        _file = file;
    }

    public string Address { get; }

    /// <summary>Whether it is in the abstract namespace.</summary>
    public bool IsAbstract => _file is null;

    public static SocketListener OnPath(string path, UnixFileMode mode)
    {
        if (Directory.Exists(path))
            throw new IOException($"Cannot listen on '{path}': it is a folder.");
        // the system's message would be "cannot assign requested address"
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
        int bytes = Encoding.UTF8.GetByteCount(name);
        if (bytes > MaxNameBytes)
            throw new ArgumentException($"An abstract name has at most {MaxNameBytes} bytes, and '{name}' has {bytes}.", nameof(name));
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
        // the file first, and only once: later, another server may use the path
        Interlocked.Exchange(ref _file, null)?.Remove();
        _socket.Dispose();
    }

    /// <summary>Accepts a client, if there is one; otherwise null.</summary>
    /// <param name="listening">In non-blocking mode.</param>
    /// <exception cref="IOException">Accept failed, but may succeed later.</exception>
    internal static SafeSocketHandle? TryAccept(SafeSocketHandle listening)
    {
        SafeSocketHandle? client = AcceptCalls.TryAccept(listening, out Errno errno);
        return errno switch
        {
            Errno.None or Errno.EAGAIN => client,
            Errno.EMFILE => throw new IOException("accept failed for lack of descriptors or memory"),
            _ => throw new SocketException((int)errno, $"accept failed: {errno}"),
        };
    }
}
