using System.Net.Sockets;
using VfioUser.Protocol.Interop;

namespace VfioUser.Hosting;

/// <summary>Makes the servers of one device: the first, and one for each restart.</summary>
/// <param name="path">Path, or <c>@name</c>; ignored if there is a socket.</param>
/// <param name="socket">A listening socket; owned. Null to listen on the path.</param>
/// <param name="options">Options of the servers.</param>
internal sealed class DeviceServers(string? path, SafeSocketHandle? socket, VfioUserServerOptions options) : IDisposable
{
    /// <summary>Makes a listening server.</summary>
    /// <exception cref="IOException">Another server listens there, or the system refused.</exception>
    public VfioUserServer Create()
    {
        if (socket is null)
            return path is ['@', .. string name] ? VfioUserServer.BindAbstract(name, options) : VfioUserServer.Bind(path!, options);
        // the server closes its socket, and a restart needs another one
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
