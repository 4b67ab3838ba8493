using System.Net.Sockets;
using VfioUser.Protocol;

namespace VfioUser;

/// <content>From a client to the next. One thread at a time.</content>
public sealed partial class DevicePoller
{
    private static readonly TimeSpan LookAgainAfter = TimeSpan.FromMilliseconds(10);

    private PollEvents Step(ref int left)
    {
        if (_isOver)
            return PollEvents.Ended;
        PollEvents events = PollEvents.None;
        try
        {
            _descriptors.Wakeup.Reset();
            if (_stop.IsCancellationRequested)
                End(failure: null);
            else if (_client is not null || TryAccept(ref events))
                Serve(ref left, ref events);
            if (!_isOver)
            {
                LookForOthers();
                Await(ref events);
            }
        }
        catch (Exception e) when (e is ObjectDisposedException or SocketException && _stop.IsCancellationRequested)
        {
            // the server has closed its listening socket already
            End(failure: null);
        }
        catch (Exception e)
        {
            _run.Log.SessionFailed(e);
            End(e);
        }
        return _isOver ? events | PollEvents.Ended : events;
    }

    private bool TryAccept(ref PollEvents events)
    {
        SafeSocketHandle? socket = _pending.Take();
        if (socket is null && _acceptAgain is { Left.Ticks: > 0 })
            return false;
        try
        {
            _acceptAgain = null;
            socket ??= _clients.TryNext();
        }
        catch (IOException e)
        {
            // a process that has no descriptor left has some again when a session somewhere else in it ends
            _run.Log.CannotAccept(e.Message);
            _acceptAgain = Deadline.After(VfioUserServer.AcceptAgainAfter);
            return false;
        }
        if (socket is null)
        {
            EndIfLast();
            return false;
        }
        try
        {
            _client = ClientConnection.TryOpen(_run, socket, _descriptors.Wakeup.Signal);
        }
        catch (Exception e)
        {
            _run.Log.SessionFailed(e);
            _run.Status.WentWrong(e);
        }
        if (_client is null)
        {
            EndIfLast();
            return false;
        }
        _descriptors.Add(_client.Socket);
        events |= PollEvents.Connected;
        return true;
    }

    private void Serve(ref int left, ref PollEvents events)
    {
        bool attached = false;
        bool there = false;
        try
        {
            if (!_isLeaving)
            {
                // what was received while the device waited for the client is handled too
                do
                    there = _client!.Step(ref left, ref attached);
                while (there && left > 0 && _client.HasReceived);
            }
            // the device may come to rest before its memory goes, and may hold it; nobody waits for that here
            _isLeaving = !there && !_client!.TryLeave();
            there |= _isLeaving;
        }
        catch (Exception e)
        {
            _run.Log.SessionFailed(e);
            _run.Status.WentWrong(e);
        }
        if (attached)
            events |= PollEvents.Attached;
        if (there)
            return;
        CloseClient();
        events |= PollEvents.Detached;
        EndIfLast();
    }

    // Those who come while a client is attached. Not at each step, for the sake of one that spins: its caller may come
    // back a few times before the clock has moved.
    private void LookForOthers()
    {
        if (_clients.Listening is null || Environment.TickCount64 == _lastLook)
            return;
        _lastLook = Environment.TickCount64;
        try
        {
            if (_client is not null && !_noneCome && _acceptAgain is not { Left.Ticks: > 0 })
            {
                _acceptAgain = null;
                _pending.Accept();
            }
        }
        catch (IOException e)
        {
            _run.Log.CannotAccept(e.Message);
            _acceptAgain = Deadline.After(VfioUserServer.AcceptAgainAfter);
        }
        catch (SocketException)
        {
            // told when the client has gone
            _noneCome = true;
        }
        _pending.Process(_isLeaving ? null : _client?.Socket);
    }

    // What the descriptor has to become readable for.
    private void Await(ref PollEvents events)
    {
        _descriptors.AwaitClients((_client is null || (_pending.HasRoom && !_noneCome)) && _acceptAgain is null);
        _descriptors.AwaitTime(NextLook());
        _descriptors.AwaitRest(_client?.Rest);
        if (_client is null)
        {
            // who is here already is no event
            if (_pending.CanTake)
                _descriptors.Wakeup.Signal();
            return;
        }
        _descriptors.AwaitClient(_client.Socket, _client.Awaited);
        events |= _client.Pending;
        if (!_client.HasReceived)
            return;
        events |= PollEvents.More;
        _descriptors.Wakeup.Signal();
    }

    private Deadline? NextLook()
    {
        if (_client is null)
            return Earlier(_acceptAgain, _pending.Due);
        // a process without descriptors has none for the answer
        Deadline? look = _client is { AwaitsRest: true, Rest: null } ? Deadline.After(LookAgainAfter) : _client.Deadline;
        return Earlier(look, Earlier(_pending.Due, _acceptAgain));
    }

    private static Deadline? Earlier(Deadline? one, Deadline? other) =>
        other is null || (one is { } first && first.Left <= other.Value.Left) ? one : other;

    private void CloseClient()
    {
        _isLeaving = false;
        _descriptors.AwaitRest(null);
        if (_client is null)
            return;
        _descriptors.Remove(_client.Socket);
        _client.Dispose();
        _client = null;
    }

    private void EndIfLast()
    {
        if (_clients.Listening is null)
            End(failure: null);
    }

    private void End(Exception? failure)
    {
        if (_isOver)
            return;
        _isOver = true;
        try
        {
            CloseClient();
        }
        catch (Exception e)
        {
            _run.Log.SessionFailed(e);
            failure ??= e;
        }
        _pending.Dispose();
        _stopping.Dispose();
        _free();
        _run.Status.Ended(failure);
        _descriptors.Wakeup.Signal();
    }
}
