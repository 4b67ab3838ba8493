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

    /// <summary>Connects, and is no more patient than is said.</summary>
    /// <exception cref="ToolException">It is no path.</exception>
    /// <exception cref="IOException">Nobody listens there, or nobody is accepted.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public static SafeSocketHandle Connect(string socket, TimeSpan patience, CancellationToken stop)
    {
        try
        {
            return ConnectCalls.Connect(socket, patience, stop);
        }
        catch (ArgumentException)
        {
            throw new ToolException($"'{socket}' cannot be a socket's path: it is empty or too long.");
        }
    }

    private static string Checked(string socket) => socket.Length > 0 ? socket : throw new ArgumentException("empty", nameof(socket));
}
