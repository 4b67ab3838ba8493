using System.Net.Sockets;
using VfioUser.Protocol.Interop;

namespace VfioUser.Tool.CommandLine;

/// <summary>Sockets by what people write: a path, or @name in the abstract namespace.</summary>
internal static class Endpoints
{
    /// <exception cref="ToolException">It is taken, or no path.</exception>
    public static SocketListener Listen(string socket)
    {
        try
        {
            return socket is ['@', .. string name] ? SocketListener.OnAbstractName(name) : SocketListener.OnPath(Checked(socket), UnixFileMode.UserRead | UnixFileMode.UserWrite);
        }
        catch (ArgumentException)
        {
            throw new ToolException($"'{socket}' cannot be a socket's path: it is empty or too long.");
        }
    }

    /// <exception cref="ToolException">Nobody listens there.</exception>
    public static SafeSocketHandle Connect(string socket)
    {
        using Socket connecting = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            if (Checked(socket)[0] != '@' && !File.Exists(socket))
                throw new ToolException($"Cannot connect to '{socket}': no such file.");
            connecting.Connect(new UnixDomainSocketEndPoint(socket[0] == '@' ? "\0" + socket[1..] : socket));
            return SocketCalls.Duplicate(connecting.SafeHandle);
        }
        catch (ArgumentException)
        {
            throw new ToolException($"'{socket}' cannot be a socket's path: it is empty or too long.");
        }
        catch (SocketException e)
        {
            throw new ToolException($"Cannot connect to '{socket}': {e.Message}");
        }
    }

    private static string Checked(string socket) => socket.Length > 0 ? socket : throw new ArgumentException("empty", nameof(socket));
}
