using System.Net.Sockets;
using VfioUser.Protocol.Interop;

namespace VfioUser.Tool.Scratch;

/// <summary>Serves a device in this process, to one connection after another. One thread.</summary>
internal sealed class InProcessServer(PciDevice device, VfioUserServerOptions options) : IDisposable
{
    private VfioUserServer? _server;
    private Task _serving = Task.CompletedTask;

    /// <summary>A new connection, when the one before has ended.</summary>
    public SafeSocketHandle Connect()
    {
        End();
        (SafeSocketHandle ours, SafeSocketHandle theirs) = SocketCalls.CreatePair();
        _server = VfioUserServer.FromConnected(ours, options);
        _serving = _server.RunAsync(device);
        return theirs;
    }

    public void Dispose() => End();

    private void End()
    {
        _server?.Dispose();
        _serving.Wait();
    }
}
