namespace VfioUser.Vm.Tests.Harness;

/// <summary>A device, served by this process on a socket in a folder of its own.</summary>
internal sealed class ServedDevice : IAsyncDisposable
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(60);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("served-");
    private readonly VfioUserServer _server;
    private readonly Task _serving;

    /// <param name="device">Stays the caller's, who disposes it after this.</param>
    /// <param name="options">Of the server; null for the defaults.</param>
    public ServedDevice(PciDevice device, VfioUserServerOptions? options = null)
    {
        SocketPath = Path.Combine(_folder.FullName, "device.sock");
        _server = VfioUserServer.Bind(SocketPath, options);
        _serving = _server.RunAsync(device);
    }

    public string SocketPath { get; }

    public async ValueTask DisposeAsync()
    {
        _server.Dispose();
        await _serving.WaitAsync(Timeout);
        _folder.Delete(recursive: true);
    }
}
