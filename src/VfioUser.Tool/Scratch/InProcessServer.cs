using System.Net.Sockets;
using VfioUser.Protocol.Interop;

namespace VfioUser.Tool.Scratch;

/// <summary>Serves a device in this process, on a socket that no other user can reach. Any thread.</summary>
internal sealed class InProcessServer : IDisposable
{
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(10);

    // a folder that only the owner can enter
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("vfio-user-serve-");
    private readonly VfioUserServer _server;
    private readonly Task _serving;

    public InProcessServer(PciDevice device, VfioUserServerOptions options)
    {
        _server = VfioUserServer.Bind(Path.Combine(_folder.FullName, "device.sock"), options);
        _serving = _server.RunAsync(device);
    }

    /// <summary>Makes a new connection.</summary>
    /// <exception cref="IOException">The server's queue is full.</exception>
    public SafeSocketHandle Connect(CancellationToken stop) => ConnectCalls.Connect(_server.Address, ConnectTimeout, stop);

    public void Dispose()
    {
        _server.Dispose();
        _serving.Wait();
        _folder.Delete(recursive: true);
    }
}
