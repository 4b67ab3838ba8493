using System.Runtime.InteropServices;
using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Serves a device on the caller's threads, for programs with their own event loop.</summary>
/// <remarks>
/// <para>
/// Wait until <see cref="Handle"/> is readable, alone or with other descriptors in <c>poll(2)</c> or <c>epoll(7)</c>, or do
/// not wait at all; then call <see cref="Process"/>. It accepts clients, negotiates, handles commands and sends replies,
/// and waits neither for the client nor for leases that delay an unmap: the client's next commands wait for those. All code of
/// the device runs in it. It blocks only while the device accesses guest memory by DMA_READ and DMA_WRITE messages.
/// </para>
/// <para>
/// Any thread may call it, one at a time. Only workers, and handlers of ioeventfds and doorbell pages with
/// <see cref="NotificationMode.Threaded"/>, run on other threads. When a run ends it waits up to one second for its workers.
/// </para>
/// </remarks>
public sealed partial class DevicePoller : IDisposable
{
    private const int DefaultMaxCommands = 64;

    private readonly ServingEngine _engine;
    private readonly PollerDescriptors _descriptors;
    private readonly CancellationTokenRegistration _stopping;
    private long _lastPoll; // of the listening socket, while a client is attached
    private bool _isClosed;
    private int _busy;
    private int _processing; // managed ID of the thread in Process
    private int _disposed;
    private int _cancelled;

    /// <param name="engine">May not block; taken over.</param>
    /// <param name="descriptors">Taken over.</param>
    internal DevicePoller(ServingEngine engine, PollerDescriptors descriptors)
    {
        _engine = engine;
        _descriptors = descriptors;
        engine.Wake = _descriptors.Wake;
        engine.WorkAdded = WakeForWork;
        engine.DueChanged = _ => WakeForWork();
        engine.Closing = _descriptors.Remove;
        _stopping = engine.Run.Stopping.Register(_descriptors.Stop);
        engine.Begin();
        // a connected client makes no descriptor readable, nor is what the device posted before
        if (engine.Clients.Listening is null || Device.CommandWork.IsReady)
            _descriptors.Wake();
    }

    /// <summary>A descriptor that is readable when there is work; always the same one. Only to wait for.</summary>
    /// <remarks>Level-triggered: it stays readable until <see cref="Process"/> has done the work, and for ever after
    /// <see cref="PollEvents.Ended"/>. Borrowed; closed by <see cref="Dispose"/>.</remarks>
    public SafeHandle Handle => _descriptors.Handle;

    /// <summary>The device.</summary>
    public PciDevice Device => _engine.Run.Device;

    /// <summary>Where clients connect.</summary>
    public string Address => _engine.Clients.Address;

    /// <summary>The state of serving. Any thread.</summary>
    public ServingState State => _engine.Run.Status.State;

    /// <summary>The connected client's process, or null. Any thread.</summary>
    public PeerCredentials? Peer => _engine.Run.Status.Peer;

    /// <summary>Why it is <see cref="ServingState.Failed"/>, or the failure of the last session that failed; null if there was
    /// none. Any thread.</summary>
    public Exception? LastError => _engine.Run.Status.LastError;

    /// <summary>Why the last client that is not connected any more was disconnected; null before. Any thread.</summary>
    public ClientDisconnect? LastDisconnect => _engine.Run.Status.LastDisconnect;

    /// <summary>Does the pending work, without waiting for the client.</summary>
    /// <param name="maxCommands">The most commands to handle, at least 1, so that the caller can do other work. If more are left,
    /// <see cref="Handle"/> stays readable.</param>
    /// <returns>What was done.</returns>
    /// <exception cref="InvalidOperationException">Another thread is in this call, or code of the device calls it.</exception>
    /// <remarks>If there are commands, makes one receive and one send. Exceptions of the device are logged and passed to
    /// <see cref="VfioUserServerOptions.OnDeviceException"/>; failures of the system end serving, see <see cref="LastError"/>.</remarks>
    public PollResult Process(int maxCommands = DefaultMaxCommands)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxCommands, 1);
        if (Interlocked.Exchange(ref _busy, 1) != 0)
        {
            return Volatile.Read(ref _disposed) != 0
                ? new PollResult(PollEvents.Ended, 0) // another thread is closing it
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
    /// <remarks>Any thread, when no thread waits for <see cref="Handle"/>: to wake one, dispose the server or cancel. If
    /// <see cref="Process"/> is running on another thread, it ends the session before it returns; otherwise this call does,
    /// including the device's callbacks for a disconnect.</remarks>
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
