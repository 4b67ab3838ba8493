namespace VfioUser;

/// <summary>A device that a host serves, and how it goes. Any thread.</summary>
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

    /// <summary>How far it is.</summary>
    public ServingState State => _status.State;

    /// <summary>Who is connected, or null.</summary>
    public PeerCredentials? Peer => _status.Peer;

    /// <summary>How many clients have attached so far.</summary>
    public long SessionCount => _status.Sessions;

    /// <summary>Why it is <see cref="ServingState.Failed"/>, or how the last session ended that did not end well; null if
    /// all is well.</summary>
    public Exception? LastError => _status.LastError;

    /// <summary>Ends when the device is not served any more and is free: it was removed, the one client of a connected
    /// socket has gone, or it failed. Never faulted: see <see cref="LastError"/>.</summary>
    public Task Completion { get; private set; } = Task.CompletedTask;

    /// <summary>Stops listening at once, cuts off the client, and takes the device out of the host.</summary>
    /// <returns><see cref="Completion"/>, which waits for no client, but for code of the device that is running.</returns>
    /// <remarks>As often as you like, from the device's code too; do not wait for the task in there.</remarks>
    public Task RemoveAsync()
    {
        _status.Stopping();
        _server.Dispose();
        return Completion;
    }

    /// <summary>It runs.</summary>
    /// <param name="serving">Ends with it; may be faulted.</param>
    /// <param name="disposesDevice">Whether the device ends with it.</param>
    /// <param name="over">Called when it is over.</param>
    internal void Began(Task serving, bool disposesDevice, Action<HostedDevice> over) => Completion = serving.ContinueWith(
        run =>
        {
            // observed: the status has it
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
            _status.WentWrong(e);
        }
    }
}
