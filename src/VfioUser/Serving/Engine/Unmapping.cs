using System.Runtime.InteropServices;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>Waits until unmapped memory is no longer in use.</summary>
/// <remarks>
/// Command thread. While it is in use, the unmap is pending, and <see cref="CommandSteps"/> keeps the command.
/// </remarks>
/// <param name="session">The session.</param>
/// <param name="socket">The client's socket; borrowed.</param>
/// <param name="stopping">Cancelled when the server stops.</param>
internal sealed class Unmapping(Session session, SafeHandle socket, CancellationToken stopping) : IDisposable
{
    private DmaDrain? _drain;
    private TaskSignal? _signal;
    private bool _isLeaving;
    private Deadline _warnAt;

    /// <summary>Whether unmapped memory is still in use; later commands must wait.</summary>
    public bool IsPending => _signal is not null;

    /// <summary>Readable when the memory is no longer in use, or the server stops; null if nothing is pending.</summary>
    public SafeHandle? Descriptor => _signal?.Descriptor;

    /// <summary>When to log that the unmap is still pending; null if nothing is pending.</summary>
    public Deadline? NextWarning => IsPending ? _warnAt : null;

    /// <summary>Completes an unmap if the memory is no longer in use, or the server stops.</summary>
    /// <returns>False if it is in use: the unmap is pending now.</returns>
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

    /// <summary>Checks whether the memory is no longer in use.</summary>
    /// <returns><see cref="ReceiveStatus.Received"/> if so; closed if the client has disconnected; empty otherwise.</returns>
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

    /// <summary>Waits until the memory is no longer in use, the client hangs up, or the server stops.</summary>
    public void Await()
    {
        SafeHandle? client = _isLeaving ? null : socket;
        while (!_drain!.IsDone && !stopping.IsCancellationRequested && (client is null || !PollCalls.HasHungUp(client)))
        {
            _signal!.Wait(client, GuestRegions.WarningInterval);
            Warn();
        }
    }

    /// <summary>The client has disconnected: drops a pending command, and unmaps all memory.</summary>
    /// <returns>False while memory is in use, unless the server stops.</returns>
    public bool TryLeave()
    {
        session.Steps.Drop();
        if (!_isLeaving)
        {
            _isLeaving = true;
            DmaDrain all = session.GuestRegions.UnmapBetween(0, ulong.MaxValue, _drain);
            EndWait();
            _drain = all;
            if (!all.IsDone)
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
