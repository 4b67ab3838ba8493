namespace VfioUser.Testing;

/// <content>Coming and going.</content>
public sealed partial class TestGuest
{
    private bool _left;

    /// <summary>Whether the guest has not left, and has not been cut off by a fault.</summary>
    public bool IsConnected { get; private set; } = true;

    /// <summary>Attaches again to the same device after the connection was lost, or leaves first: with the same memory and the
    /// same interrupts as before. Faults of DMA are over.</summary>
    /// <exception cref="TestGuestException">The device still handles something for the client that has gone.</exception>
    public void Reconnect()
    {
        Faults.EndSession();
        if (!_session.End())
            throw Stuck();
        foreach (GuestRegion region in _bars.Concat(_others))
            region.Close();
        _session = new GuestSession(Device, Options, _diary, Memory);
        IsConnected = true;
        Faults.BeginSession();
        Try(() => Memory.MapAgain(Client));
        foreach (GuestInterrupts interrupts in _interrupts)
            interrupts.Restore();
    }

    /// <summary>Detaches and stops the server.</summary>
    /// <exception cref="TestGuestException">A callback of the device does not come back; or the device threw, and the test has
    /// not seen it.</exception>
    public void Dispose()
    {
        if (_left)
            return;
        if (!Leave())
            throw Stuck();
        DeviceExceptionContext[] unseen = _diary.TakeUnseen();
        if (unseen.Length == 0 || !Options.FailOnDeviceException)
            return;
        string what = string.Join("; ", unseen.Select(context => context.ToString()));
        throw new TestGuestException($"{Device.GetType().Name} threw, and the test did not see it: {what}", unseen[0].Exception);
    }

    internal void Cut(ReadOnlySpan<byte> lastWords)
    {
        IsConnected = false;
        Client.Break(lastWords);
        Faults.EndSession();
    }

    /// <summary>Ends when the device has been told that the client has gone.</summary>
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

    private TestGuestException Stuck() =>
        new(Tell($"The guest has left, but {Device.GetType().Name} still handles something after {Options.Timeout}."));

    private bool Leave()
    {
        _left = true;
        IsConnected = false;
        try
        {
            // whoever is held back here would be waited for
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
