using VfioUser.Protocol;

namespace VfioUser.Testing;

/// <summary>One interrupt vector, as the guest receives it.</summary>
/// <remarks>Any thread may count and wait.</remarks>
public class GuestIrq
{
    private readonly Lock _lock = new();
    private ulong _count;
    private ulong _taken;

    internal GuestIrq(TestGuest guest, IrqType type, int vector)
    {
        Guest = guest;
        Type = type;
        Vector = vector;
    }

    /// <summary>The interrupt type.</summary>
    public IrqType Type { get; }

    /// <summary>Its number among those of its type, from 0.</summary>
    public int Vector { get; }

    /// <summary>Number of interrupts since the guest attached.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                _count += EventFd.Take();
                return (int)_count;
            }
        }
    }

    /// <summary>Whether the guest has masked it.</summary>
    public bool IsMasked { get; private set; }

    internal EventFd EventFd { get; } = new();

    internal TestGuest Guest { get; }

    /// <summary>Takes the received interrupts that were not taken yet; does not wait.</summary>
    /// <returns>Number of interrupts since it was last taken.</returns>
    public int Take()
    {
        lock (_lock)
        {
            int fresh = (int)((ulong)Count - _taken);
            _taken = _count;
            return fresh;
        }
    }

    /// <summary>Waits until it has come <paramref name="count"/> times since the guest attached.</summary>
    /// <exception cref="TestGuestException">It did not.</exception>
    public void WaitFor(int count)
    {
        if (!Came(count))
            throw Failure($"came {Count} times and not {count} within {Guest.Options.Timeout}.{Hint}");
    }

    /// <summary>As <see cref="WaitFor(int)"/>, on another thread, so that the test can go on meanwhile.</summary>
    public Task WaitForAsync(int count) =>
        Task.Factory.StartNew(() => WaitFor(count), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    /// <summary>Waits for the next interrupt that was not taken yet, and takes it.</summary>
    /// <exception cref="TestGuestException">It did not come.</exception>
    /// <remarks>Only one thread may take.</remarks>
    public void WaitForNext()
    {
        if (!TryTakeNext(Guest.Options.Timeout))
            throw Failure($"did not come again: {Count} times in all, and {_taken} were taken, within {Guest.Options.Timeout}.{Hint}");
    }

    /// <summary>Makes sure that it did not come since it was last taken. Posted writes are handled first.</summary>
    /// <param name="within">How long to wait, if a thread of the device's own could trigger it. A device that triggers only in its
    /// handlers needs no wait: then the result is certain.</param>
    /// <exception cref="TestGuestException">It came.</exception>
    public void ExpectNone(TimeSpan within = default)
    {
        // a read is answered after all posted writes
        Guest.Config.Read<ushort>(0);
        if (within > TimeSpan.Zero && Count == (int)_taken)
            EventFd.Wait(within);
        if (Take() is > 0 and int fresh)
            throw Failure($"came {fresh} times where it was not expected.");
    }

    /// <summary>Masks it: a trigger is delivered when it is unmasked.</summary>
    public void Mask()
    {
        Act(IrqSetFlags.ActionMask);
        IsMasked = true;
    }

    /// <summary>Unmasks it. For INTx, which is automasked, this ends the handling of an interrupt.</summary>
    public void Unmask()
    {
        Act(IrqSetFlags.ActionUnmask);
        IsMasked = false;
    }

    /// <summary>As <see cref="WaitForNext"/>, for another time.</summary>
    /// <returns>False if it did not come.</returns>
    internal bool TryTakeNext(TimeSpan within)
    {
        ulong next = _taken + 1;
        if (!Came((int)next, within))
            return false;
        lock (_lock)
            _taken = next;
        return true;
    }

    private bool Came(int count) => Came(count, Guest.Options.Timeout);

    private bool Came(int count, TimeSpan within)
    {
        long end = Environment.TickCount64 + (long)within.TotalMilliseconds;
        while (Count < count)
        {
            long left = end - Environment.TickCount64;
            if (left <= 0 || !EventFd.Wait(TimeSpan.FromMilliseconds(left)))
                return Count >= count;
        }
        return true;
    }

    // a device whose driver chooses the kind of interrupts triggers those that are enabled
    private string Hint => (Type, Guest.DeviceHere?.Config) switch
    {
        (IrqType.MsiX, { MsiX.IsEnabled: false }) or (IrqType.Msi, { Msi.IsEnabled: false }) => $" The driver has not enabled {Type}: StartDriver does.",
        _ => "",
    };

    private TestGuestException Failure(string what) => new(Guest.WithLog($"{Type} vector {Vector} {what}"));

    private void Act(IrqSetFlags action) =>
        Guest.Try(() => Guest.Client.SetIrqs(new IrqSet(IrqSet.WireSize, IrqSetFlags.DataNone | action, (uint)Type, (uint)Vector, 1)));
}
