using System.Net.Sockets;
using VfioUser.Protocol.Interop;

namespace VfioUser.Tool.CommandLine;

/// <summary>Sockets as given on the command line: a path, or @name in the abstract namespace.</summary>
internal static class Endpoints
{
    /// <exception cref="ToolException">It is no valid path.</exception>
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

    /// <summary>Connects, with a timeout.</summary>
    /// <exception cref="ToolException">It is no valid path.</exception>
    /// <exception cref="IOException">No server listens there, or its queue stayed full.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public static SafeSocketHandle Connect(string socket, TimeSpan timeout, CancellationToken stop)
    {
        try
        {
            return ConnectCalls.Connect(socket, timeout, stop);
        }
        catch (ArgumentException)
        {
            throw new ToolException($"'{socket}' cannot be a socket's path: it is empty or too long.");
        }
    }

    private static string Checked(string socket) => socket.Length > 0 ? socket : throw new ArgumentException("empty", nameof(socket));
}
