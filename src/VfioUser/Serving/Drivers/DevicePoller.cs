using System.Runtime.InteropServices;
using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Serves a device on the caller's threads, for those who have an event loop of their own.</summary>
/// <remarks>
/// <para>
/// Wait until <see cref="Handle"/> is readable, alone or with other descriptors in <c>poll(2)</c> or <c>epoll(7)</c>, or do
/// not wait at all; then call <see cref="Process"/>. It lets clients in, negotiates, handles commands and sends replies,
/// without waiting for a client, nor for leases that keep an unmap waiting: the client's commands wait for those. All code of
/// the device runs in there. Only a device that asks for guest memory which the client reads and writes by message holds up
/// its caller.
/// </para>
/// <para>
/// Any thread may call, one at a time. What runs on other threads all the same: ioeventfds and doorbell pages whose mode
/// is <see cref="NotificationMode.Threaded"/>.
/// </para>
/// </remarks>
public sealed partial class DevicePoller : IDisposable
{
    private const int DefaultMaxCommands = 64;

    private readonly ServingEngine _engine;
    private readonly PollerDescriptors _descriptors;
    private readonly CancellationTokenRegistration _stopping;
    private long _lastPoll; // for those who come while one is attached
    private bool _isClosed;
    private int _busy;
    private int _processing; // managed number of the thread that does
    private int _disposed;
    private int _cancelled;

    /// <param name="engine">May not block; taken over.</param>
    internal DevicePoller(ServingEngine engine)
    {
        _engine = engine;
        _descriptors = new PollerDescriptors(engine.Clients.Listening);
        engine.Wake = _descriptors.Wakeup.Signal;
        engine.WorkAdded = WakeForWork;
        engine.DueChanged = _ => WakeForWork();
        engine.Closing = _descriptors.Remove;
        _stopping = engine.Run.Stopping.Register(_descriptors.Wakeup.Signal);
        engine.Begin();
        // a client that is there already is no event, nor is what the device posted before
        if (engine.Clients.Listening is null || Device.CommandWork.IsReady)
            _descriptors.Wakeup.Signal();
    }

    /// <summary>Readable when there is something to do; the same one from the beginning to the end. Only to wait for.</summary>
    /// <remarks>Level-triggered: it stays readable until <see cref="Process"/> has done it, and for ever once
    /// <see cref="PollEvents.Ended"/> was told. Borrowed; closed by <see cref="Dispose"/>.</remarks>
    public SafeHandle Handle => _descriptors.Handle;

    /// <summary>The device.</summary>
    public PciDevice Device => _engine.Run.Device;

    /// <summary>Where clients connect.</summary>
    public string Address => _engine.Clients.Address;

    /// <summary>How far it is. Any thread.</summary>
    public ServingState State => _engine.Run.Status.State;

    /// <summary>Who is connected, or null. Any thread.</summary>
    public PeerCredentials? Peer => _engine.Run.Status.Peer;

    /// <summary>Why it is <see cref="ServingState.Failed"/>, or how the last session ended that did not end well; null if
    /// all is well. Any thread.</summary>
    public Exception? LastError => _engine.Run.Status.LastError;

    /// <summary>Does what there is to do, without waiting for the client.</summary>
    /// <param name="maxCommands">How many commands it handles at most, from 1, so that others get their turn. What is left
    /// keeps <see cref="Handle"/> readable.</param>
    /// <returns>What was done.</returns>
    /// <exception cref="InvalidOperationException">Another thread is in this call, or code of the device makes it.</exception>
    /// <remarks>Receives once and sends once when there are commands. Exceptions of the device go the same way as with a
    /// server that runs by itself; failures of the system end it and are in <see cref="LastError"/>.</remarks>
    public PollResult Process(int maxCommands = DefaultMaxCommands)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxCommands, 1);
        if (Interlocked.Exchange(ref _busy, 1) != 0)
        {
            return Volatile.Read(ref _disposed) != 0
                ? new PollResult(PollEvents.Ended, 0) // another thread is about to close it
                : throw new InvalidOperationException("The poller is in use: one thread at a time processes, and no code of the device.");
        }
        try
        {
            int left = maxCommands;
            PollEvents events = Step(ref left);
            if (left < maxCommands)
                events |= PollEvents.Commands;
            return new PollResult(events, maxCommands - left);
        }
        finally
        {
            Leave();
        }
    }

    /// <summary>Ends the session, frees the device and closes <see cref="Handle"/>. The server may serve again.</summary>
    /// <remarks>Any thread, once nobody waits for <see cref="Handle"/> any more: to wake who waits, dispose the server or
    /// cancel. While <see cref="Process"/> runs, that does it before it returns; else it is done here, and so is what the
    /// device does when a client leaves.</remarks>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        _engine.Stop();
        Interlocked.Exchange(ref _cancelled, 1);
        CloseIfIdle();
    }

    private void Leave()
    {
        Interlocked.Exchange(ref _busy, 0);
        if (Volatile.Read(ref _cancelled) != 0)
            CloseIfIdle();
    }

    private void CloseIfIdle()
    {
        if (Interlocked.Exchange(ref _busy, 1) != 0)
            return;
        if (!_isClosed)
        {
            _isClosed = true;
            _engine.Dispose();
            _stopping.Dispose();
            _descriptors.Dispose();
        }
        Interlocked.Exchange(ref _busy, 0);
    }
}
