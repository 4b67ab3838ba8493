namespace VfioUser;

/// <summary>Serves many devices, each on its own socket; they can be added and removed at run time.</summary>
/// <remarks>
/// Any thread. Each device has its own thread, or all share a few: <see cref="VfioUserHostOptions.Threads"/>. A failure of one
/// device or its client does not affect the others.
/// </remarks>
public sealed class VfioUserHost : IDisposable, IAsyncDisposable
{
    private readonly VfioUserHostOptions _options;
    private readonly Lock _gate = new();
    private readonly List<HostedDevice> _devices = [];
    private readonly List<HostThread> _threads = [];
    private bool _disposed;

    /// <summary>Creates a host without devices.</summary>
    /// <param name="options">Null for the defaults: a thread for each device.</param>
    public VfioUserHost(VfioUserHostOptions? options = null)
    {
        _options = options ?? new VfioUserHostOptions();
        ArgumentOutOfRangeException.ThrowIfNegative(_options.Threads, nameof(options));
        ArgumentOutOfRangeException.ThrowIfLessThan(_options.MaxCommandsPerTurn, 1, nameof(options));
    }

    /// <summary>The devices that are being served, in the order in which they were added; a copy.</summary>
    public IReadOnlyList<HostedDevice> Devices
    {
        get
        {
            lock (_gate)
                return [.. _devices];
        }
    }

    /// <summary>Serves a device on a path of the file system.</summary>
    /// <param name="device">Not served elsewhere. Taken over: see <see cref="VfioUserHostOptions.DisposeDevices"/>.</param>
    /// <param name="path">See <see cref="VfioUserServer.Bind"/>.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <exception cref="IOException">A server is listening on the path, it is not a socket, or the system failed.</exception>
    /// <exception cref="InvalidOperationException">The device is served elsewhere.</exception>
    public HostedDevice Add(PciDevice device, string path, VfioUserServerOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(device);
        VfioUserServer server = VfioUserServer.Bind(path, options);
        try
        {
            return Add(device, server);
        }
        catch
        {
            server.Dispose();
            throw;
        }
    }

    /// <summary>Serves a device with a server of any kind.</summary>
    /// <param name="device">Not served elsewhere. Taken over: see <see cref="VfioUserHostOptions.DisposeDevices"/>.</param>
    /// <param name="server">Not running. Taken over: disposed when the device is removed.</param>
    /// <param name="ownThread">Whether the device gets its own thread even if others share some: for handlers that may block.</param>
    /// <exception cref="IOException">The system has no free descriptors. The server is not taken over.</exception>
    /// <exception cref="InvalidOperationException">The device is served elsewhere, or the server runs. It is not taken over.</exception>
    public HostedDevice Add(PciDevice device, VfioUserServer server, bool ownThread = false)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(server);
        ServingStatus status = new();
        HostedDevice hosted = new(device, server, status);
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            Task serving = _options.Threads == 0 || ownThread
                ? server.RunAsync(device, status, CancellationToken.None)
                : LeastBusy().Serve(descriptors => server.CreatePoller(device, status, CancellationToken.None, descriptors: descriptors));
            _devices.Add(hosted);
            hosted.Began(serving, _options.DisposeDevices, Remove);
        }
        return hosted;
    }

    /// <summary>Removes all current devices.</summary>
    /// <returns>Completes when all of them are free.</returns>
    public Task RemoveAllAsync() => Task.WhenAll(Devices.Select(device => device.RemoveAsync()));

    /// <summary>Removes all devices, and accepts no more. Does not wait for running code of devices.</summary>
    public void Dispose()
    {
        foreach (HostedDevice device in Close())
            _ = device.RemoveAsync();
    }

    /// <summary>As <see cref="Dispose"/>, but waits until all devices are free.</summary>
    public async ValueTask DisposeAsync() => await Task.WhenAll(Close().Select(device => device.RemoveAsync())).ConfigureAwait(false);

    private List<HostedDevice> Close()
    {
        lock (_gate)
        {
            if (!_disposed)
                _threads.ForEach(thread => thread.Dispose());
            _disposed = true;
            return [.. _devices];
        }
    }

    private void Remove(HostedDevice device)
    {
        lock (_gate)
            _devices.Remove(device);
    }

    // Holding _gate.
    private HostThread LeastBusy()
    {
        if (_threads.Count < _options.Threads && _threads.TrueForAll(thread => thread.Count > 0))
            _threads.Add(new HostThread(_threads.Count, _options.MaxCommandsPerTurn, _options.Spin));
        return _threads.MinBy(thread => thread.Count)!;
    }
}
