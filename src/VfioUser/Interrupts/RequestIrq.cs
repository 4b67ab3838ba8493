namespace VfioUser;

/// <summary>The request interrupt. While a removal is requested, it stays pending until a client has an eventfd for it: clients that
/// negotiate, or that have not set their interrupts yet, are asked when they can be.</summary>
/// <remarks>Any thread.</remarks>
internal sealed class RequestIrq() : Irq(PciIrq.Request, 0)
{
    private int _requests;

    private protected override bool IsEnabledByGuest => Volatile.Read(ref _requests) != 0;

    /// <summary>Asks the client that is there, or will be.</summary>
    public void Request()
    {
        Interlocked.Increment(ref _requests);
        Trigger();
    }

    /// <summary>Ends a request: the client has gone, or is not asked any more.</summary>
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
