using VfioUser.Protocol;

namespace VfioUser;

/// <content>The engine, and what its descriptor waits for. One thread at a time.</content>
public sealed partial class DevicePoller
{
    private static readonly TimeSpan RetryInterval = TimeSpan.FromMilliseconds(10);

    private PollEvents Step(ref int left)
    {
        if (_engine.IsOver)
            return PollEvents.Ended;
        _descriptors.Wakeup.Reset();
        Volatile.Write(ref _processing, Environment.CurrentManagedThreadId);
        PollEvents events = PollEvents.None;
        bool more;
        do
        {
            PollEvents done = _engine.Step(ref left);
            events |= done;
            // one that has just come, or what was received while the device waited for the client
            more = (done & PollEvents.Connected) != 0 || _engine.Client is { HasReceived: true };
        }
        while (more && left > 0);
        Volatile.Write(ref _processing, 0);
        try
        {
            if (!_engine.IsOver)
                Await(ref events);
        }
        catch (Exception e)
        {
            _engine.Fail(e);
        }
        if (!_engine.IsOver)
            return events;
        _descriptors.Wakeup.Signal();
        return events | PollEvents.Ended;
    }

    // What the descriptor has to become readable for.
    private void Await(ref PollEvents events)
    {
        PollListener();
        PendingClients.Awaited clients = _engine.Pending.Await();
        ClientConnection? client = _engine.Client;
        _descriptors.AwaitClients(clients.Next || clients.Others);
        _descriptors.AwaitTime(Deadline.Earlier(Deadline.Earlier(clients.Due, client is null ? null : NextDeadline(client)), NextDue));
        _descriptors.AwaitRest(client?.Rest);
        if (client is not null)
        {
            _descriptors.AwaitClient(client.Socket, client.Awaited);
            events |= client.Pending;
        }
        if (client is { HasReceived: true } || Device.CommandWork.IsReady)
            events |= PollEvents.More;
        // who is here already is no event
        else if (!clients.IsThere)
            return;
        _descriptors.Wakeup.Signal();
    }

    // What is added by the device's code in here is found before it is waited.
    private void WakeForWork()
    {
        if (Volatile.Read(ref _processing) != Environment.CurrentManagedThreadId)
            _descriptors.Wakeup.Signal();
    }

    // Those who come while a client is attached. Not at each step, for the sake of one that spins: its caller may come
    // back a few times before the clock has moved.
    private void PollListener()
    {
        if (_engine.Clients.Listening is null || Environment.TickCount64 == _lastPoll)
            return;
        _lastPoll = Environment.TickCount64;
        _engine.Pending.Process();
    }

    // a device that is quiesced is called when it is resumed
    private Deadline? NextDue => Device.Activity.AllowsWork && _engine.NextDue is var due and not TimerSet.Never ? Deadline.At(due) : null;

    // a process without descriptors has none for the device's answer
    private static Deadline? NextDeadline(ClientConnection client) =>
        client is { AwaitsRest: true, Rest: null } ? Deadline.After(RetryInterval) : client.Deadline;
}
