using System.Runtime.InteropServices;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>Waits for those who use memory that was unmapped.</summary>
/// <remarks>
/// Command thread. While somebody uses it the end is pending, and <see cref="CommandSteps"/> keeps the command.
/// </remarks>
/// <param name="session">Whose memory it is.</param>
/// <param name="socket">The client's, borrowed.</param>
/// <param name="stopping">Cancelled when the server stops.</param>
internal sealed class Unmapping(Session session, SafeHandle socket, CancellationToken stopping) : IDisposable
{
    private DmaDrain? _drain;
    private TaskSignal? _signal;
    private bool _isLeaving;
    private Deadline _warnAt;

    /// <summary>Whether memory that was unmapped is still in use; the commands that follow must not be handled.</summary>
    public bool IsPending => _signal is not null;

    /// <summary>Becomes readable when it is worthwhile to go on with what is pending; null while nothing is.</summary>
    public SafeHandle? Descriptor => _signal?.Descriptor;

    /// <summary>When to look at what is pending although nothing has happened; null while nothing is.</summary>
    public Deadline? NextWarning => IsPending ? _warnAt : null;

    /// <summary>Whether nobody uses any more what a command has unmapped.</summary>
    /// <returns>False if somebody does: the end is pending now.</returns>
    public bool TryFinish(DmaDrain drain)
    {
        if (!drain.IsDone && !stopping.IsCancellationRequested)
        {
            Keep(drain);
            return false;
        }
        session.GuestRegions.Await(drain);
        session.GuestRegions.Drained(drain);
        return true;
    }

    /// <summary>Looks whether the memory is free.</summary>
    /// <returns><see cref="ReceiveStatus.Received"/> if it is, and closed when the client has gone before.</returns>
    public ReceiveStatus Poll()
    {
        if (!_drain!.IsDone)
        {
            Warn();
            return PollCalls.HasHungUp(socket) ? ReceiveStatus.Closed : ReceiveStatus.Empty;
        }
        EndWait();
        _drain = null;
        return ReceiveStatus.Received;
    }

    /// <summary>Waits until the memory is free, or whoever wants to know whether it is has gone.</summary>
    public void Await()
    {
        SafeHandle? client = _isLeaving ? null : socket;
        while (!_drain!.IsDone && !stopping.IsCancellationRequested && (client is null || !PollCalls.HasHungUp(client)))
        {
            _signal!.Wait(client, GuestRegions.WarningInterval);
            Warn();
        }
    }

    /// <summary>The client has gone: drops what is pending, and unmaps all.</summary>
    /// <returns>False while somebody uses the memory, unless the server stops.</returns>
    public bool TryLeave()
    {
        session.Steps.Drop();
        if (!_isLeaving)
        {
            _isLeaving = true;
            DmaDrain all = session.GuestRegions.UnmapBetween(0, ulong.MaxValue, _drain);
            EndWait();
            Keep(all);
        }
        if (!_drain!.IsDone && !stopping.IsCancellationRequested)
        {
            Warn();
            return false;
        }
        session.GuestRegions.Await(_drain);
        EndWait();
        return true;
    }

    public void Dispose() => EndWait();

    private void Keep(DmaDrain drain)
    {
        _drain = drain;
        _signal = new TaskSignal(drain.Done, stopping);
        _warnAt = Deadline.After(GuestRegions.WarningInterval);
    }

    private void Warn()
    {
        if (_warnAt.Left > TimeSpan.Zero)
            return;
        session.GuestRegions.Waits(_drain!);
        _warnAt = Deadline.After(GuestRegions.WarningInterval);
    }

    private void EndWait()
    {
        _signal?.Dispose();
        _signal = null;
    }
}
