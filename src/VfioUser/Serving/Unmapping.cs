using System.Runtime.InteropServices;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>Waits for those who use memory that was unmapped.</summary>
/// <remarks>
/// Command thread. Where nobody may wait the command is kept, and handled once more from its beginning when the memory is
/// free: its handler then finds by <see cref="TakeBegun"/> that the memory is unmapped already. A thread that serves several
/// devices may hold the very lease that is waited for.
/// </remarks>
/// <param name="session">Whose memory it is.</param>
/// <param name="socket">The client's, borrowed.</param>
/// <param name="stopping">Cancelled when the server stops.</param>
internal sealed class Unmapping(Session session, SafeHandle socket, CancellationToken stopping) : IDisposable
{
    private DmaDrain? _drain;
    private TaskSignal? _signal;
    private ReceivedMessage? _kept;
    private bool _isLeaving;
    private Deadline _warnAt;

    /// <summary>Whether memory that was unmapped is still in use and nobody waits for it; the commands that follow must not be handled.</summary>
    public bool IsPending => _signal is not null;

    /// <summary>Becomes readable when it is worthwhile to go on with what is pending; null while nothing is.</summary>
    public SafeHandle? Descriptor => _signal?.Descriptor;

    /// <summary>When to look at what is pending although nothing has happened; null while nothing is.</summary>
    public Deadline? NextLook => IsPending ? _warnAt : null;

    /// <summary>What the command that is handled now has unmapped before it became pending; null for nothing.</summary>
    public DmaDrain? TakeBegun()
    {
        DmaDrain? drain = IsPending ? null : _drain;
        _drain = null;
        return drain;
    }

    /// <summary>Waits for the users of what a command has unmapped, or keeps the command.</summary>
    /// <returns>False if it is pending now: the command is not to be answered.</returns>
    public bool TryFinish(DmaDrain drain, in ReceivedMessage message)
    {
        if (!drain.IsDone && !session.Quiescence.MayWait && !stopping.IsCancellationRequested)
        {
            Keep(drain);
            _kept = Quiescence.Keep(message);
            return false;
        }
        session.DmaMappings.Await(drain);
        session.DmaMappings.Drained(drain);
        return true;
    }

    /// <summary>Goes on with the pending command, if its memory is free.</summary>
    public ReceiveStatus Continue(out ReceivedMessage message)
    {
        message = default;
        if (!_drain!.IsDone)
        {
            Warn();
            return PollCalls.HasHungUp(socket) ? ReceiveStatus.Closed : ReceiveStatus.Empty;
        }
        EndWait();
        message = _kept!.Value;
        _kept = null;
        return ReceiveStatus.Received;
    }

    /// <summary>The client has gone: drops what is pending, and unmaps all.</summary>
    /// <returns>False while somebody uses the memory, if that may not be waited for.</returns>
    public bool TryLeave(bool wait)
    {
        DropKept();
        if (!_isLeaving)
        {
            _isLeaving = true;
            DmaDrain all = session.DmaMappings.UnmapBetween(0, ulong.MaxValue, _drain);
            EndWait();
            Keep(all);
        }
        if (wait)
            session.DmaMappings.Await(_drain!);
        else if (!_drain!.IsDone)
            Warn();
        if (!wait && !_drain!.IsDone)
            return false;
        EndWait();
        return true;
    }

    public void Dispose()
    {
        DropKept();
        EndWait();
    }

    private void Keep(DmaDrain drain)
    {
        _drain = drain;
        _signal = new TaskSignal(drain.Done, stopping);
        _warnAt = Deadline.After(DmaMappings.Patience);
    }

    private void Warn()
    {
        if (_warnAt.Left > TimeSpan.Zero)
            return;
        session.DmaMappings.Waits(_drain!);
        _warnAt = Deadline.After(DmaMappings.Patience);
    }

    private void EndWait()
    {
        _signal?.Dispose();
        _signal = null;
    }

    private void DropKept()
    {
        _kept?.Fds?.Dispose();
        _kept = null;
    }
}
