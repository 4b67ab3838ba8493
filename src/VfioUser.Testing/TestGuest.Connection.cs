namespace VfioUser.Testing;

/// <content>Connecting and disconnecting.</content>
public sealed partial class TestGuest
{
    private bool _left;

    /// <summary>Whether the guest is connected: neither disposed nor disconnected by a fault.</summary>
    public bool IsConnected { get; private set; } = true;

    /// <summary>Disconnects if it is connected, then attaches to the same device or server again, with the same memory and interrupts as
    /// before. Ends faults of DMA.</summary>
    /// <exception cref="TestGuestException">The device still handles something for the client that has disconnected.</exception>
    public void Reconnect()
    {
        Faults.EndSession();
        if (!_session.End())
            throw Stuck();
        foreach (GuestRegion region in _bars.Concat(_others))
            region.Close();
        _session = NewSession();
        IsConnected = true;
        Faults.BeginSession();
        Try(() => Memory.MapAgain(Client));
        EnableBusMaster();
        foreach (GuestInterrupts interrupts in _interrupts)
            interrupts.Restore();
    }

    /// <summary>Detaches and stops the server.</summary>
    /// <exception cref="TestGuestException">A callback of the device does not return; the device has not disposed of a lease; or it
    /// threw, and the test has not seen it.</exception>
    public void Dispose()
    {
        if (_left)
            return;
        if (!Leave())
            throw Stuck();
        if (_device?.Dma.Holds?.Describe() is { } held)
            throw new TestGuestException(WithLog($"The guest has disconnected, and {DeviceName} still holds guest memory: {held}"));
        DeviceExceptionContext[] unseen = _log.TakeUnseen();
        if (unseen.Length == 0 || !Options.FailOnDeviceException)
            return;
        string what = string.Join("; ", unseen.Select(context => context.ToString()));
        throw new TestGuestException($"{DeviceName} threw, and the test did not see it: {what}", unseen[0].Exception);
    }

    internal void Cut(ReadOnlySpan<byte> garbage)
    {
        IsConnected = false;
        Client.Break(garbage);
        Faults.EndSession();
    }

    /// <summary>Completes when the device is detached: <see cref="PciDevice.OnDetached"/> has returned.</summary>
    internal async Task Detached()
    {
        try
        {
            await _session.Serving.WaitAsync(Options.Timeout).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            throw Stuck();
        }
    }

    private TestGuestException Stuck() => new(WithLog(_device?.Workers.Names is { Length: > 0 } workers
        ? $"The guest has disconnected, and workers of {DeviceName} have not ended, as their cancellation token asks: {workers}."
        : $"The guest has disconnected, but {DeviceName} still handles something after {Options.Timeout}."));

    private IGuestSession NewSession() =>
        _device is null ? new ConnectedSession(_path, Options, Memory) : new GuestSession(_device, Options, _log, Memory);

    private bool Leave()
    {
        _left = true;
        IsConnected = false;
        try
        {
            // release held DMA messages first: ending the session waits for them
            Faults.EndSession();
            return _session.End();
        }
        finally
        {
            foreach (GuestInterrupts interrupts in _interrupts)
                interrupts.Dispose();
            foreach (GuestRegion region in _bars.Concat(_others))
                region.Close();
            Memory.Dispose();
        }
    }
}
