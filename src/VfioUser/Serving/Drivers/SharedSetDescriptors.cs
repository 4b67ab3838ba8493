using System.Runtime.InteropServices;
using VfioUser.Protocol;

namespace VfioUser;

/// <summary>The descriptors of one of the devices of a <see cref="HostThread"/>: the listening socket and the client's, and no more. What
/// wakes the thread otherwise, it has once for all its devices.</summary>
internal sealed class SharedSetDescriptors : PollerDescriptors
{
    private readonly HostThread _thread;
    private int _isWoken;

    /// <param name="thread">Whose set it is.</param>
    /// <param name="number">Of the device, in this thread; above 0. The listening socket has its negative.</param>
    /// <param name="listening">The server's socket, or null; borrowed.</param>
    public SharedSetDescriptors(HostThread thread, int number, SafeHandle? listening)
        : base(thread.Set, number, -number, listening)
    {
        _thread = thread;
        Number = number;
        AwaitClients(true);
    }

    /// <summary>Of the device, in its thread.</summary>
    public int Number { get; }

    /// <summary>When the device is to be woken; null for no such time. The thread's.</summary>
    public Deadline? Due { get; set; }

    /// <summary>The time at which it is in the queue of <see cref="HostTimes"/>, which may be earlier; the largest number if it is not.
    /// The thread's.</summary>
    public long Queued { get; set; } = long.MaxValue;

    /// <inheritdoc/>
    /// <remarks>The thread's.</remarks>
    public override bool HasNewClients { get; set; }

    public override void Wake()
    {
        if (Interlocked.Exchange(ref _isWoken, 1) == 0)
            _thread.Wake(Number);
    }

    public override void ResetWake()
    {
        if (Volatile.Read(ref _isWoken) != 0)
            Interlocked.Exchange(ref _isWoken, 0);
    }

    public override void AwaitTime(Deadline? deadline)
    {
        if (deadline is { IsNever: true })
            deadline = null;
        if (deadline != Due)
            _thread.Times.Set(this, deadline);
    }

    public override void Dispose()
    {
        base.Dispose();
        _thread.Times.Remove(this);
    }
}
