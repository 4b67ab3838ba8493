namespace VfioUser;

/// <summary>The request interrupt. While a removal is requested, it stays pending until a client has an eventfd for it: clients that
/// negotiate, or that have not bound an eventfd yet, get the request when they bind one.</summary>
/// <remarks>Any thread.</remarks>
internal sealed class RequestIrq() : Irq(IrqType.Request, 0)
{
    private int _requests;

    private protected override bool IsEnabledByGuest => Volatile.Read(ref _requests) != 0;

    /// <summary>Asks the client that is there, or will be.</summary>
    public void Request()
    {
        Interlocked.Increment(ref _requests);
        Trigger();
    }

    /// <summary>Ends a request: the client has disconnected, or the request was cancelled.</summary>
    public void EndRequest()
    {
        if (Interlocked.Decrement(ref _requests) == 0)
            ClearMaskAndPending();
    }

    // QEMU resets a device after it has set its interrupts
    internal override void Reset()
    {
        base.Reset();
        if (IsEnabledByGuest && !IsEnabled)
            Trigger();
    }
}
