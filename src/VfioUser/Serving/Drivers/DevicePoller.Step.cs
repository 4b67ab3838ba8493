using System.Runtime.InteropServices;
using VfioUser.Protocol;

namespace VfioUser;

/// <content>Drives the engine, and sets up the descriptor. One thread at a time.</content>
public sealed partial class DevicePoller
{
    private static readonly TimeSpan RetryInterval = TimeSpan.FromMilliseconds(10);

    private PollEvents Step(ref int left)
    {
        if (_engine.IsOver)
            return PollEvents.Ended;
        _descriptors.ResetWake();
        Volatile.Write(ref _processing, Environment.CurrentManagedThreadId);
        PollEvents events = PollEvents.None;
        bool more;
        do
        {
            PollEvents done = _engine.Step(ref left);
            events |= done;
            // a client that has just connected, or commands that were received while the device waited for a reply
            more = (done & PollEvents.Connected) != 0 || !_engine.AwaitsReset && _engine.Client is { HasReceived: true };
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
        _descriptors.Wake();
        return events | PollEvents.Ended;
    }

    // Sets up what makes the descriptor readable.
    private void Await(ref PollEvents events)
    {
        if (_engine.AwaitsReset)
        {
            AwaitReset();
            return;
        }
        PendingClients.Awaited clients = _engine.Pending.Await();
        if (PollListener(clients))
            clients = _engine.Pending.Await();
        ClientConnection? client = _engine.Client;
        _descriptors.AwaitClients(clients.Next || clients.Others);
        _descriptors.AwaitTime(Deadline.Earlier(Deadline.Earlier(clients.Due, client is null ? null : NextDeadline(client)), NextDue));
        _descriptors.AwaitDevice(client?.DeviceDescriptor);
        if (client is not null)
        {
            _descriptors.AwaitClient(client.Socket, client.Awaited);
            events |= client.Pending;
        }
        if (client is { HasReceived: true } || Device.CommandWork.IsReady)
            events |= PollEvents.More;
        // a client that is there already makes no descriptor readable
        else if (!clients.IsThere)
            return;
        _descriptors.Wake();
    }

    // Clients wait, whatever they send.
    private void AwaitReset()
    {
        SafeHandle? answer = _engine.ResetDescriptor;
        _descriptors.AwaitClients(false);
        if (_engine.Client is { } client)
            _descriptors.AwaitClient(client.Socket, null);
        _descriptors.AwaitDevice(answer);
        _descriptors.AwaitTime(answer is null ? Deadline.After(RetryInterval) : null);
    }

    // Work that the device's code adds during Process needs no wakeup: it is found before the descriptor is set up.
    private void WakeForWork()
    {
        if (Volatile.Read(ref _processing) != Environment.CurrentManagedThreadId)
            _descriptors.Wake();
    }

    // Handles clients that connect while one is attached: once per tick of the clock, since a caller that spins may step often.
    private bool PollListener(in PendingClients.Awaited clients)
    {
        if (_engine.Clients.Listening is null || (!_descriptors.HasNewClients && clients.Due is null) || Environment.TickCount64 == _lastPoll)
            return false;
        _lastPoll = Environment.TickCount64;
        _descriptors.HasNewClients = false;
        _engine.Pending.Process();
        return true;
    }

    // timers of a quiesced device are not due until it is resumed
    private Deadline? NextDue => Device.Activity.AllowsWork && _engine.NextDue is var due and not TimerSet.Never ? Deadline.At(due) : null;

    // a process without descriptors has none for the device's answer
    private static Deadline? NextDeadline(ClientConnection client) =>
        client is { AwaitsDevice: true, DeviceDescriptor: null } ? Deadline.After(RetryInterval) : client.Deadline;
}
