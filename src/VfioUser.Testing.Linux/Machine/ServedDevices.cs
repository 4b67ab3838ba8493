namespace VfioUser.Testing.Linux;

/// <summary>Serves a guest's devices on sockets in a folder of their own.</summary>
internal sealed class ServedDevices : IAsyncDisposable
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(60);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("linux-guest-");
    private readonly List<(VfioUserServer Server, Task Serving)> _servers = [];
    private readonly Lock _lock = new();
    private readonly List<DeviceExceptionContext> _exceptions = [];
    private readonly List<DeviceExceptionContext> _unseen = [];

    public ServedDevices(LinuxGuestOptions options)
    {
        VfioUserServerOptions server = options.Server with { OnDeviceException = Threw };
        List<string> sockets = [];
        Sockets = sockets;
        try
        {
            foreach (PciDevice device in options.Devices)
            {
                string path = Path.Combine(_folder.FullName, $"{sockets.Count}.sock");
                VfioUserServer one = VfioUserServer.Bind(path, server);
                _servers.Add((one, one.RunAsync(device)));
                sockets.Add(path);
            }
        }
        catch
        {
            foreach ((VfioUserServer one, _) in _servers)
                one.Dispose();
            _folder.Delete(recursive: true);
            throw;
        }

        void Threw(DeviceExceptionContext context)
        {
            lock (_lock)
            {
                _exceptions.Add(context);
                _unseen.Add(context);
            }
            options.Server.OnDeviceException?.Invoke(context);
        }
    }

    public IReadOnlyList<string> Sockets { get; }

    public DeviceExceptionContext[] AcceptExceptions()
    {
        lock (_lock)
        {
            _unseen.Clear();
            return [.. _exceptions];
        }
    }

    public DeviceExceptionContext[] TakeUnseen()
    {
        lock (_lock)
        {
            DeviceExceptionContext[] unseen = [.. _unseen];
            _unseen.Clear();
            return unseen;
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach ((VfioUserServer server, _) in _servers)
            server.Dispose();
        await Task.WhenAll(_servers.Select(one => one.Serving)).WaitAsync(Timeout).ConfigureAwait(false);
        if (_folder.Exists)
            _folder.Delete(recursive: true);
    }
}
