namespace VfioUser.Hosting;

/// <summary>Serves a device from the host's start to its stop, and again after a failure if the options say so. Any thread.</summary>
/// <param name="name">The device's.</param>
/// <param name="device">Not served elsewhere.</param>
/// <param name="options">The device's.</param>
/// <param name="servers">Makes its servers; owned.</param>
/// <param name="host">Provides the threads.</param>
/// <param name="log">The host's.</param>
internal sealed class ServedDevice(
    string name, PciDevice device, VfioUserDeviceOptions options, DeviceServers servers, VfioUserHost host, HostingLog log) : IDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _gate = new();
    private HostedDevice? _serving;
    private Exception? _failure;

    public string Name => name;

    /// <summary>The address that clients connect to; null before the start.</summary>
    public string? Address => Serving?.Address;

    /// <summary>State of the serving; null before the start and while it waits for a restart.</summary>
    public ServingState? State => (Failure, Serving) switch
    {
        (not null, _) => ServingState.Failed,
        (null, { } serving) when !_stop.IsCancellationRequested && IsOver(serving.State) => null,
        (null, { } serving) => serving.State,
        _ => null,
    };

    /// <summary>The failure that ended serving for good; null while it is served or restarts, or after an ordinary stop.</summary>
    public Exception? Failure => Volatile.Read(ref _failure);

    /// <summary>The last failure of a session or a server; null if there was none.</summary>
    public Exception? LastError => Failure ?? Serving?.LastError;

    public int? ClientProcessId => Serving?.Peer?.ProcessId;

    /// <summary>Completes when serving has ended: after a stop, or when it has failed for good.</summary>
    public Task Completion { get; private set; } = Task.CompletedTask;

    private HostedDevice? Serving => Volatile.Read(ref _serving);

    /// <summary>Starts listening.</summary>
    /// <param name="failed">Called when it has failed for good.</param>
    /// <exception cref="IOException">It cannot listen.</exception>
    public void Start(Action<ServedDevice> failed)
    {
        Serve();
        Completion = WatchAsync(failed);
    }

    /// <summary>Stops listening at once, and disconnects the client.</summary>
    /// <returns><see cref="Completion"/>.</returns>
    public Task StopAsync()
    {
        lock (_gate)
            _stop.Cancel();
        _ = _serving?.RemoveAsync();
        return Completion;
    }

    /// <summary>Stops, without waiting for the device.</summary>
    public void Dispose()
    {
        _ = StopAsync();
        servers.Dispose();
    }

    private void Serve()
    {
        lock (_gate)
        {
            _stop.Token.ThrowIfCancellationRequested();
            VfioUserServer server = servers.Create();
            try
            {
                Volatile.Write(ref _serving, host.Add(device, server, options.OwnThread));
            }
            catch
            {
                server.Dispose();
                throw;
            }
            log.Serving(name, server.Address);
        }
    }

    private async Task WatchAsync(Action<ServedDevice> failed)
    {
        while (true)
        {
            HostedDevice serving = _serving!;
            await serving.Completion.ConfigureAwait(false);
            if (_stop.IsCancellationRequested)
                return;
            Exception failure = serving.LastError ?? new IOException("The server has ended.");
            log.ServingFailed(name, failure);
            if (options.WhenServingFails == ServingFailureAction.StopHost)
            {
                Volatile.Write(ref _failure, failure);
                failed(this);
                return;
            }
            if (!await RestartAsync().ConfigureAwait(false))
                return;
        }
    }

    // false if it was stopped first
    private async Task<bool> RestartAsync()
    {
        while (true)
        {
            try
            {
                await Task.Delay(options.RestartDelay, _stop.Token).ConfigureAwait(false);
                Serve();
                return true;
            }
            catch (OperationCanceledException)
            {
                return false;
            }
            catch (Exception e)
            {
                log.CannotRestart(name, e);
            }
        }
    }

    private static bool IsOver(ServingState state) => state is ServingState.Ended or ServingState.Failed;
}
