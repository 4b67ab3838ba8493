namespace VfioUser;

/// <content>The start and the end of a run.</content>
public sealed partial class VfioUserServer
{
    internal ServerLog Log => _log;

    /// <summary>As <see cref="RunAsync(PciDevice, CancellationToken)"/>, and updates a status.</summary>
    internal Task RunAsync(PciDevice device, ServingStatus status, CancellationToken cancellation, VfioUserServerOptions? options = null)
    {
        Task run = Serve(device, status, mayBlock: true, ServerThread.Start, options ?? _options, cancellation);
        Volatile.Write(ref _run, run);
        return run;
    }

    /// <summary>As <see cref="CreatePoller(PciDevice, CancellationToken)"/>, and updates a status.</summary>
    /// <param name="device">Not served elsewhere.</param>
    /// <param name="status">Of the run.</param>
    /// <param name="cancellation">Stops serving.</param>
    /// <param name="options">Null for the server's.</param>
    /// <param name="descriptors">Creates what the poller waits for; null for an epoll set of its own.</param>
    internal DevicePoller CreatePoller(PciDevice device, ServingStatus status, CancellationToken cancellation,
        VfioUserServerOptions? options = null, Func<ServingEngine, PollerDescriptors>? descriptors = null) =>
        Serve(device, status, mayBlock: false,
            engine => PollerOf(engine, descriptors?.Invoke(engine) ?? OwnSetDescriptors.Create(engine.Clients.Listening)),
            options ?? _options, cancellation);

    private static DevicePoller PollerOf(ServingEngine engine, PollerDescriptors descriptors)
    {
        try
        {
            return new DevicePoller(engine, descriptors);
        }
        catch
        {
            descriptors.Dispose();
            throw;
        }
    }

    // Creates the engine of a new run, and passes it to a driver.
    private T Serve<T>(PciDevice device, ServingStatus status, bool mayBlock, Func<ServingEngine, T> drive, VfioUserServerOptions options, CancellationToken cancellation)
    {
        Occupy(device, options.RegisterMap);
        CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation, _disposed.Token);
        CommandTurn? turn = mayBlock ? new CommandTurn(device.CommandWork) : null;
        ServerRun run = new(device, options, _log, status, turn, stop.Token);
        ServingEngine engine = new(run, _clients, stop, () => Free(device));
        _inspected?.Run = run;
        try
        {
            return drive(engine);
        }
        catch
        {
            engine.Dispose();
            throw;
        }
    }

    // reserves the server and the device: one run at a time
    private void Occupy(PciDevice device, bool registerMap)
    {
        ArgumentNullException.ThrowIfNull(device);
        ObjectDisposedException.ThrowIf(_disposed.IsCancellationRequested, this);
        if (Interlocked.Exchange(ref _running, 1) != 0)
            throw new InvalidOperationException("The server is serving a device already. A second device needs a second server.");
        try
        {
            device.BeginServing(_options.Logger, registerMap);
        }
        catch
        {
            Volatile.Write(ref _running, 0);
            throw;
        }
    }

    private void Free(PciDevice device)
    {
        _inspected?.Run = null;
        try
        {
            device.EndServing();
        }
        catch (Exception e)
        {
            _log.DisposeThrew(e);
        }
        Volatile.Write(ref _running, 0);
    }
}
