using System.Runtime.InteropServices;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>Quiesces the device before commands that require it, and resumes it afterwards.</summary>
/// <remarks>Command thread. If the device does not answer at once, the answer is pending, and <see cref="CommandSteps"/> keeps the command.</remarks>
internal sealed class Quiescence : IDisposable
{
    private static readonly TimeSpan WarningInterval = TimeSpan.FromSeconds(1);

    private readonly Session _session;
    private readonly PciDevice _device;
    private readonly SafeHandle _socket;
    private readonly CancellationToken _stopping;
    private readonly CancellationTokenSource _clientGone = new(); // also cancelled when the server stops
    private readonly CancellationTokenSource _timedOut = new();
    private readonly CancellationTokenRegistration _stop;
    private QuiesceRequest? _pending;
    private Command? _command; // the one that requires a quiesced device
    private bool _leaving;
    private bool _askedToLeave;

    /// <param name="session">The session.</param>
    /// <param name="socket">The client's socket; borrowed.</param>
    /// <param name="stopping">Cancelled when the server stops.</param>
    public Quiescence(Session session, SafeHandle socket, CancellationToken stopping)
    {
        _session = session;
        _device = session.Device;
        _socket = socket;
        _stopping = stopping;
        // for a device that blocks in OnQuiesceAsync; otherwise Await handles it
        _stop = stopping.UnsafeRegister(static self => ((Quiescence)self!).GiveUpCommands(), this);
    }

    /// <summary>Whether the device has not answered yet; later commands must wait.</summary>
    public bool IsPending => _pending is not null;

    /// <summary>Whether a hang-up of the client would cancel what is pending.</summary>
    public bool ChecksClient => _pending is { Reason: not QuiesceReason.ClientGone } && !_clientGone.IsCancellationRequested;

    /// <summary>Readable when the device has answered, or the server stops; null if nothing is pending.</summary>
    public SafeHandle? Descriptor => _pending?.Descriptor;

    /// <summary>Quiesces the device for a valid command.</summary>
    /// <returns>No refusal if the device is quiesced, otherwise why not. Null if the answer is pending, or the client has
    /// disconnected.</returns>
    public Refusal? Quiesce(QuiesceReason reason, Command command)
    {
        _command = command;
        if (reason == QuiesceReason.Reset)
            _session.DmaMessages.ResetBegins();
        return _device.Activity.IsQuiesced ? default(Refusal) : Ask(reason, _clientGone.Token);
    }

    /// <summary>Waits until the device has answered. If the server stops, abandons the wait after a while: then nothing is pending.</summary>
    public void Await()
    {
        QuiesceRequest request = _pending!;
        while (!request.IsAnswered)
        {
            bool stops = _stopping.IsCancellationRequested;
            bool watches = CheckClient(request);
            if (request.Wait(watches ? _socket : null, WarningInterval))
                continue;
            if (!stops)
            {
                _session.Log.QuiesceWaits(request.Reason);
                continue;
            }
            if (request.Reason == QuiesceReason.ClientGone && !_timedOut.IsCancellationRequested)
            {
                Cancel(_timedOut);
                continue;
            }
            if (!request.IsAnswered)
                Abandon(request);
            return;
        }
    }

    /// <summary>The client has disconnected: drops a pending command, and quiesces the device before memory is unmapped.</summary>
    /// <returns>False while the device has not answered.</returns>
    public bool TryLeave()
    {
        _leaving = true;
        if (IsPending && Conclude() is null && IsPending)
            return false;
        _session.Steps.Drop();
        if (_device.Activity.IsQuiesced || _askedToLeave || _device.Activity.Asked is { Answer.IsCompleted: false })
            return true;
        _askedToLeave = true;
        _command = null;
        return Ask(QuiesceReason.ClientGone, _timedOut.Token) is not null || !IsPending;
    }

    /// <summary>Resumes the device if it is quiesced: the command is done.</summary>
    public void Resume()
    {
        _session.DmaMessages.ResetIsOver();
        try
        {
            _device.Resume();
        }
        catch (Exception e)
        {
            _session.DeviceThrew(DeviceCallback.Resume, _command, e);
        }
    }

    public void Dispose()
    {
        _stop.Dispose();
        // a cancelled source holds no resources, and its callbacks may still be running
        if (!_clientGone.IsCancellationRequested)
            _clientGone.Dispose();
        if (!_timedOut.IsCancellationRequested)
            _timedOut.Dispose();
    }

    private Refusal? Ask(QuiesceReason reason, CancellationToken cancellation)
    {
        if (_device.Activity.Asked is { } earlier)
        {
            // one request at a time: the answer to the earlier one counts
            _pending = new QuiesceRequest(earlier.Answer, earlier.Reason, _stopping);
            return Conclude();
        }
        try
        {
            ValueTask<bool> answer = _device.QuiesceAsync(reason, cancellation);
            if (answer.IsCompleted)
                return Answered(reason, answer.GetAwaiter().GetResult());
            Task<bool> later = answer.AsTask();
            _device.Activity.Ask(reason, later);
            _pending = new QuiesceRequest(later, reason, _stopping);
        }
        catch (Exception e)
        {
            return Failed(reason, e);
        }
        return Conclude();
    }

    /// <summary>The pending answer of the device; null if it has not answered, or the client of the command has disconnected.</summary>
    public Refusal? Conclude()
    {
        QuiesceRequest request = _pending!;
        bool answered = request.IsAnswered;
        // in this order: a device may quiesce because the disconnect cancelled its token
        CheckClient(request);
        if (!answered)
            return null;
        _pending = null;
        request.Dispose();
        Refusal answer;
        try
        {
            answer = Answered(request.Reason, request.Task.GetAwaiter().GetResult());
        }
        catch (Exception e)
        {
            answer = Failed(request.Reason, e);
        }
        return _clientGone.IsCancellationRequested ? null : answer;
    }

    // False if the command need not be waited for, since the client has disconnected or the server stops.
    private bool CheckClient(QuiesceRequest request)
    {
        if (request.Reason == QuiesceReason.ClientGone || _clientGone.IsCancellationRequested)
            return false;
        if (!_leaving && !_stopping.IsCancellationRequested && !PollCalls.HasHungUp(_socket))
            return true;
        GiveUpCommands();
        return false;
    }

    private void Abandon(QuiesceRequest request)
    {
        _session.Log.QuiesceAbandoned(request.Reason);
        _pending = null;
        request.Dispose();
    }

    private Refusal Answered(QuiesceReason reason, bool quiesced)
    {
        _device.Activity.Answer(reason, quiesced);
        if (!quiesced && reason == QuiesceReason.ClientGone)
            _session.Log.QuiesceFailed();
        return quiesced ? default : new Refusal(Errno.EBUSY, "the device cannot be quiesced now");
    }

    private Refusal Failed(QuiesceReason reason, Exception exception)
    {
        // a cancelled device may answer with this exception
        if (exception is OperationCanceledException && (_clientGone.IsCancellationRequested || _timedOut.IsCancellationRequested))
            return Answered(reason, quiesced: false);
        _device.Activity.Answer(reason, quiesced: false);
        return _session.RefusalFor(DeviceCallback.Quiesce, _command, exception);
    }

    private void GiveUpCommands() => Cancel(_clientGone);

    // Callbacks of the device's cancellation token must run neither here nor on the thread that stops the server.
    private void Cancel(CancellationTokenSource source) => _ = source.CancelAsync().ContinueWith(
        (failed, _) => _session.DeviceThrew(DeviceCallback.Quiesce, null, failed.Exception!.GetBaseException()), null,
        CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
}
