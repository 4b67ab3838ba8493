using System.Net.Sockets;
using VfioUser.Protocol.Interop;

namespace VfioUser.Hosting;

/// <summary>Makes the servers of one device: the first, and one for each restart.</summary>
/// <param name="path">Null if there is a socket.</param>
/// <param name="socket">Listening already; owned. Null to listen on the path.</param>
/// <param name="options">The servers'.</param>
internal sealed class DeviceServers(string? path, SafeSocketHandle? socket, VfioUserServerOptions options) : IDisposable
{
    /// <summary>A server that listens.</summary>
    /// <exception cref="IOException">Somebody else is alive there, or the system refused.</exception>
    public VfioUserServer Create()
    {
        if (socket is null)
            return path is ['@', .. string name] ? VfioUserServer.BindAbstract(name, options) : VfioUserServer.Bind(path!, options);
        // the server closes its own, and the next one needs it again
        SafeSocketHandle own = SocketCalls.Duplicate(socket);
        try
        {
            return VfioUserServer.FromListening(own, options);
        }
        catch
        {
            own.Dispose();
            throw;
        }
    }

    public void Dispose() => socket?.Dispose();
}
