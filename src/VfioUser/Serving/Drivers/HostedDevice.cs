namespace VfioUser;

/// <summary>A device served by a host, and its status. Any thread.</summary>
public sealed class HostedDevice
{
    private readonly ServingStatus _status;
    private readonly VfioUserServer _server;

    internal HostedDevice(PciDevice device, VfioUserServer server, ServingStatus status)
    {
        Device = device;
        _server = server;
        _status = status;
        Address = server.Address;
    }

    /// <summary>The device.</summary>
    public PciDevice Device { get; }

    /// <summary>Where clients connect: a path, or <c>@name</c> for an abstract one.</summary>
    public string Address { get; }

    /// <summary>The state of serving.</summary>
    public ServingState State => _status.State;

    /// <summary>The connected client's process, or null.</summary>
    public PeerCredentials? Peer => _status.Peer;

    /// <summary>Number of clients that have attached so far.</summary>
    public long SessionCount => _status.Sessions;

    /// <summary>Why it is <see cref="ServingState.Failed"/>, or the failure of the last session that failed; null if there was
    /// none.</summary>
    public Exception? LastError => _status.LastError;

    /// <summary>Why the last client that is not connected any more was disconnected; null before.</summary>
    public ClientDisconnect? LastDisconnect => _status.LastDisconnect;

    /// <summary>Completes when the device is no longer served, and is free: it was removed, the client of a connected
    /// socket has disconnected, or the server failed. Never faulted: see <see cref="LastError"/>.</summary>
    public Task Completion { get; private set; } = Task.CompletedTask;

    /// <summary>Stops listening at once, disconnects the client, and removes the device from the host.</summary>
    /// <returns><see cref="Completion"/>, which waits for running code of the device, not for a client.</returns>
    /// <remarks>Any number of times, also from the device's code, which must not wait for the task.</remarks>
    public Task RemoveAsync()
    {
        _status.Stopping();
        _server.Dispose();
        return Completion;
    }

    /// <summary>Asks the client to release the device, by the request interrupt, waits until it has disconnected, and then removes the
    /// device from the host. QEMU unplugs the device from the guest.</summary>
    /// <param name="cancellation">Ends the wait: then the device stays, and is still served.</param>
    /// <returns><see cref="Completion"/>.</returns>
    /// <exception cref="InvalidOperationException">The device has no request interrupt: see <see cref="PciDevice.AddRequestIrq"/>.</exception>
    /// <exception cref="OperationCanceledException">The client did not release it in time.</exception>
    /// <remarks>Any thread but those that run the device's code. A client that negotiates, or has not bound the interrupt's eventfd yet, is
    /// requested when it has; one that never does is waited for. A guest may refuse to release a device that it uses.</remarks>
    public async Task RequestRemovalAsync(CancellationToken cancellation = default)
    {
        if (Device.IrqsAt((int)IrqType.Request) is not { } request)
            throw new InvalidOperationException("The device has no request interrupt. Add it with AddRequestIrq in its constructor.");
        Task without = _status.WithoutClient;
        if (!without.IsCompleted)
            await AskAsync((RequestIrq)request[0], without, cancellation).ConfigureAwait(false);
        await RemoveAsync().ConfigureAwait(false);
    }

    private static async Task AskAsync(RequestIrq request, Task without, CancellationToken cancellation)
    {
        request.Request();
        try
        {
            await without.WaitAsync(cancellation).ConfigureAwait(false);
        }
        finally
        {
            request.EndRequest();
        }
    }

    /// <summary>Serving has started.</summary>
    /// <param name="serving">Completes when serving ends; may be faulted.</param>
    /// <param name="disposesDevice">Whether to dispose the device then.</param>
    /// <param name="over">Called at the end.</param>
    internal void Began(Task serving, bool disposesDevice, Action<HostedDevice> over) => Completion = serving.ContinueWith(
        run =>
        {
            // observe the exception: it is in the status already
            _ = run.Exception;
            _server.Dispose();
            if (disposesDevice)
                DisposeDevice();
            over(this);
        },
        CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);

    private void DisposeDevice()
    {
        try
        {
            Device.Dispose();
        }
        catch (Exception e)
        {
            _server.Log.DisposeThrew(e);
            _status.SessionFailed(e);
        }
    }
}
