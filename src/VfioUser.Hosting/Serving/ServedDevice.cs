namespace VfioUser.Hosting;

/// <summary>A device from the host's start to its stop, served again after a failure if its options say so. Any thread.</summary>
/// <param name="name">The device's.</param>
/// <param name="device">Served nowhere else.</param>
/// <param name="options">How.</param>
/// <param name="servers">Where; owned.</param>
/// <param name="host">Gives the threads.</param>
/// <param name="log">Told how it goes.</param>
internal sealed class ServedDevice(
    string name, PciDevice device, VfioUserDeviceOptions options, DeviceServers servers, VfioUserHost host, HostingLog log) : IDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _gate = new();
    private HostedDevice? _serving;
    private Exception? _failure;

    public string Name => name;

    /// <summary>Where clients connect; null before the start.</summary>
    public string? Address => Serving?.Address;

    /// <summary>How far it is; null while it waits for a restart.</summary>
    public ServingState? State => (Failure, Serving) switch
    {
        (not null, _) => ServingState.Failed,
        (null, { } serving) when !_stop.IsCancellationRequested && IsOver(serving.State) => null,
        (null, { } serving) => serving.State,
        _ => null,
    };

    /// <summary>Why it is not served any more and will not be; null if it is, or stops because it was told to.</summary>
    public Exception? Failure => Volatile.Read(ref _failure);

    /// <summary>How the last session or server ended that did not end well; null if all is well.</summary>
    public Exception? LastError => Failure ?? Serving?.LastError;

    public int? ClientProcessId => Serving?.Peer?.ProcessId;

    /// <summary>Ends when the device is free, was stopped, or has failed for good.</summary>
    public Task Completion { get; private set; } = Task.CompletedTask;

    private HostedDevice? Serving => Volatile.Read(ref _serving);

    /// <summary>Listens.</summary>
    /// <param name="failed">Called when it has failed for good.</param>
    /// <exception cref="IOException">It cannot.</exception>
    public void Start(Action<ServedDevice> failed)
    {
        Serve();
        Completion = WatchAsync(failed);
    }

    /// <summary>Stops listening at once, and cuts off the client.</summary>
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

    // false when it was stopped before it could
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
