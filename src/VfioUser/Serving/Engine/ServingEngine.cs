using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace VfioUser;

/// <summary>Serves a device to one client after another, step by step. A driver decides when, and on which thread.</summary>
/// <remarks>One thread at a time, which is the Command thread meanwhile. <see cref="Stop"/>: any thread.</remarks>
internal sealed class ServingEngine : ICommandThread, IDisposable
{
    // within the range of every ITimer; then it is set again
    private static readonly TimeSpan LongestAlarm = TimeSpan.FromDays(1);

    private readonly CancellationTokenSource _stop;
    private readonly Action _free;
    private Exception? _aborted; // the failure of another thread
    private ITimer? _alarm; // null while the clock is the system's
    private WorkerRun? _workers; // null if the device has none
    private readonly RequestedReset _reset;

    /// <param name="run">The run.</param>
    /// <param name="clients">Source of clients; borrowed.</param>
    /// <param name="stop">Stops the run; taken over.</param>
    /// <param name="free">Called when the device is no longer served.</param>
    public ServingEngine(ServerRun run, IClientSource clients, CancellationTokenSource stop, Action free)
    {
        Run = run;
        Clients = clients;
        Pending = new PendingClients(run, clients);
        _reset = new RequestedReset(run);
        _stop = stop;
        _free = free;
    }

    public ServerRun Run { get; }

    public IClientSource Clients { get; }

    /// <summary>Clients that are not served yet.</summary>
    public PendingClients Pending { get; }

    /// <summary>The connected client, or null.</summary>
    public ClientConnection? Client { get; private set; }

    /// <summary>Whether a reset that the device has requested is pending: until it has answered, nothing is done for clients.</summary>
    public bool AwaitsReset => _reset.IsPending;

    /// <inheritdoc cref="RequestedReset.Descriptor"/>
    public SafeHandle? ResetDescriptor => _reset.Descriptor;

    /// <summary>Whether serving has ended, and the device is free.</summary>
    public bool IsOver { get; private set; }

    /// <summary>The failure that ended serving, or null.</summary>
    public Exception? Failure { get; private set; }

    /// <summary>Called when another thread has queued work, on that thread: it must only wake the driver. Null for a driver that
    /// only sleeps in a step.</summary>
    public Action? Wake { get; set; }

    /// <summary>Called when the device may have posted work or timers for the Command thread. On any thread, until the run ends: it
    /// must only wake the driver.</summary>
    public Action? WorkAdded { get; set; }

    /// <summary>Called with the time at which the driver must wake up at the latest: <see cref="NextDue"/>, or an earlier value of it.
    /// As <see cref="WorkAdded"/>.</summary>
    public Action<long>? DueChanged { get; set; }

    /// <summary>When the next timer is due, as a timestamp of the system's clock; <see cref="TimerSet.Never"/> if there is none, or the
    /// clock is another one.</summary>
    public long NextDue => IsSystemTime ? Run.Device.CommandWork.NextDue : TimerSet.Never;

    /// <summary>Called before the socket of a client is closed.</summary>
    public Action<SafeHandle>? Closing { get; set; }

    /// <summary>Starts serving, when the driver is ready.</summary>
    public void Begin()
    {
        Run.Device.CommandWork.Begin(this);
        if (!Run.Device.Workers.IsEmpty)
            _workers = new WorkerRun(Run, this);
    }

    /// <summary>Runs the device's work, and accepts a client, or does the pending work for the connected one. Blocks only if the run
    /// may block, and never for a client to connect.</summary>
    /// <param name="budget">Commands that may still be handled; counted down.</param>
    /// <returns>What was done.</returns>
    public PollEvents Step(ref int budget)
    {
        PollEvents events = PollEvents.None;
        if (IsOver)
            return PollEvents.Ended;
        try
        {
            if (Run.Stopping.IsCancellationRequested)
            {
                End(Volatile.Read(ref _aborted));
                return events | PollEvents.Ended;
            }
            _reset.Continue();
            Run.Device.CommandWork.RunReady();
            if (AwaitsReset)
                events |= PollEvents.Quiescing;
            else if (Client is null)
                Accept(ref events);
            else
                Serve(Client, ref budget, ref events);
        }
        catch (Exception e)
        {
            Fail(e);
        }
        return IsOver ? events | PollEvents.Ended : events;
    }

    /// <summary>Ends serving because of a failure.</summary>
    public void Fail(Exception failure)
    {
        // not a failure: the server stops, and has closed its listening socket
        if (failure is ObjectDisposedException or SocketException && Run.Stopping.IsCancellationRequested)
        {
            End(failure: null);
            return;
        }
        try
        {
            Run.Log.SessionFailed(failure);
        }
        catch (Exception e)
        {
            failure = e; // the log itself failed
        }
        End(failure);
    }

    /// <summary>Ends serving because of a failure on another thread than the driver's. Any thread.</summary>
    public void Abort(Exception failure)
    {
        Interlocked.CompareExchange(ref _aborted, failure, null);
        Stop();
    }

    /// <summary>Stops serving, and wakes threads that wait for the client.</summary>
    public void Stop()
    {
        Run.Status.Stopping();
        _stop.Cancel();
    }

    TimeProvider ICommandThread.Time => Run.Options.TimeProvider;

    void ICommandThread.Wake() => WorkAdded?.Invoke();

    void ICommandThread.WakeAt(long due)
    {
        if (IsSystemTime)
        {
            DueChanged?.Invoke(due);
            return;
        }
        TimeProvider time = Run.Options.TimeProvider;
        _alarm ??= time.CreateTimer(static engine => ((ServingEngine)engine!).Run.Device.CommandWork.TimePassed(), this,
            Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        TimeSpan left = time.GetElapsedTime(time.GetTimestamp(), due);
        _alarm.Change(TimeSpan.FromTicks(Math.Clamp(left.Ticks, 0, LongestAlarm.Ticks)), Timeout.InfiniteTimeSpan);
    }

    void ICommandThread.Reset() => _reset.Begin();

    void ICommandThread.Threw(DeviceCode code, Exception exception)
    {
        try
        {
            Run.DeviceThrew(code, command: null, exception);
        }
        catch (Exception e)
        {
            Abort(e); // the log itself failed
        }
    }

    public void Dispose()
    {
        End(failure: null);
        _stop.Dispose();
    }

    private bool IsSystemTime => ReferenceEquals(Run.Options.TimeProvider, TimeProvider.System);

    private void Accept(ref PollEvents events)
    {
        if (Pending.Next() is { } socket)
            Client = TryOpen(socket);
        if (Client is not null)
        {
            Pending.Attached = Client.Socket;
            events |= PollEvents.Connected;
        }
        else
        {
            EndIfLast();
        }
    }

    private ClientConnection? TryOpen(SafeSocketHandle socket)
    {
        try
        {
            return ClientConnection.TryOpen(Run, socket, Wake);
        }
        catch (Exception e)
        {
            Run.SessionFailed(e);
            return null;
        }
    }

    private void Serve(ClientConnection client, ref int budget, ref PollEvents events)
    {
        if (client.Step(ref budget, ref events))
            return;
        CloseClient();
        events |= PollEvents.Detached;
        EndIfLast();
    }

    private void CloseClient()
    {
        if (Client is not { } client)
            return;
        Client = null;
        try
        {
            using (client)
                Closing?.Invoke(client.Socket);
        }
        catch (Exception e)
        {
            Run.SessionFailed(e);
        }
        // not earlier: closing may take long, and until then other clients are refused with EBUSY
        Pending.Attached = null;
    }

    private void EndIfLast()
    {
        if (Clients.Listening is null)
            End(failure: null);
    }

    private void End(Exception? failure)
    {
        if (IsOver)
            return;
        IsOver = true;
        // first, so that they leave their rundown protection, for which quiescing waits
        _workers?.Cancel();
        try
        {
            // before the memory is unmapped, which the device may use until it has quiesced
            _reset.Await();
            CloseClient();
            _workers?.Await();
        }
        catch (Exception e)
        {
            failure ??= e; // the log itself failed; still free the device
        }
        Failure = failure;
        Pending.Dispose();
        _workers?.Dispose();
        _reset.Dispose();
        Run.Device.CommandWork.End();
        _alarm?.Dispose();
        _free();
        Run.Status.Ended(failure);
    }
}
