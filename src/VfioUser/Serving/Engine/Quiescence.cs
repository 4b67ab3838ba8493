using System.Runtime.InteropServices;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>Quiesces the device before commands that require it, and resumes it after them.</summary>
/// <remarks>Command thread. When the device does not answer at once, the answer is pending and <see cref="CommandSteps"/> keeps the command.</remarks>
internal sealed class Quiescence : IDisposable
{
    private static readonly TimeSpan WarningInterval = TimeSpan.FromSeconds(1);

    private readonly Session _session;
    private readonly PciDevice _device;
    private readonly SafeHandle _socket;
    private readonly CancellationToken _stopping;
    private readonly CancellationTokenSource _clientGone = new();
    private readonly CancellationTokenSource _timedOut = new();
    private readonly CancellationTokenRegistration _stop;
    private QuiesceRequest? _pending;
    private Command? _command; // that the device is quiesced for
    private bool _leaving;
    private bool _askedToLeave;

    /// <param name="session">Whose device it is.</param>
    /// <param name="socket">The client's, borrowed.</param>
    /// <param name="stopping">Cancelled when the server stops.</param>
    public Quiescence(Session session, SafeHandle socket, CancellationToken stopping)
    {
        _session = session;
        _device = session.Device;
        _socket = socket;
        _stopping = stopping;
        // for a device that waits in OnQuiesceAsync itself; elsewhere the wait looks after it
        _stop = stopping.UnsafeRegister(static self => ((Quiescence)self!).GiveUpCommands(), this);
    }

    /// <summary>Whether a command waits for the device to come to rest; those behind it must not be handled.</summary>
    public bool IsPending => _pending is not null;

    /// <summary>Whether it matters for what is pending that the client hangs up.</summary>
    public bool ChecksClient => _pending is { Reason: not QuiesceReason.ClientGone } && !_clientGone.IsCancellationRequested;

    /// <summary>Becomes readable when it is worthwhile to go on with what is pending; null while nothing is.</summary>
    public SafeHandle? Descriptor => _pending?.Descriptor;

    /// <summary>Quiesces the device for a command that is valid.</summary>
    /// <returns>What the device answered: nothing is wrong when it is quiesced. Null while it has not answered, and for good when the client has gone.</returns>
    public Refusal? Quiesce(QuiesceReason reason, Command command)
    {
        _command = command;
        if (reason == QuiesceReason.Reset)
            _session.DmaMessages.ResetBegins();
        return _device.Activity.IsQuiesced ? default(Refusal) : Ask(reason, _clientGone.Token);
    }

    /// <summary>Waits until the device has answered, or gives that up because the server stops: then nothing is pending.</summary>
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

    /// <summary>The client has gone: drops what is pending, and has the device come to rest before its memory goes.</summary>
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

    /// <summary>What the device was quiesced for is over.</summary>
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
        // a source that was cancelled holds nothing, and may be calling still
        if (!_clientGone.IsCancellationRequested)
            _clientGone.Dispose();
        if (!_timedOut.IsCancellationRequested)
            _timedOut.Dispose();
    }

    private Refusal? Ask(QuiesceReason reason, CancellationToken cancellation)
    {
        if (_device.Activity.Asked is { } earlier)
        {
            // one question at a time: the answer to the old one is as good
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

    /// <summary>What the device answered to what is pending; null as long as it has not, and if it was for a client that has gone.</summary>
    public Refusal? Conclude()
    {
        QuiesceRequest request = _pending!;
        bool answered = request.IsAnswered;
        // after that: a device may have come to rest just because its client has gone
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

    // Whether the client is there still, so that the command is worth waiting for.
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

    private Refusal Answered(QuiesceReason reason, bool atRest)
    {
        _device.Activity.Answer(reason, atRest);
        if (!atRest && reason == QuiesceReason.ClientGone)
            _session.Log.QuiesceFailed();
        return atRest ? default : new Refusal(Errno.EBUSY, "the device cannot be quiesced now");
    }

    private Refusal Failed(QuiesceReason reason, Exception exception)
    {
        // who was told to give up may say so like this
        if (exception is OperationCanceledException && (_clientGone.IsCancellationRequested || _timedOut.IsCancellationRequested))
            return Answered(reason, atRest: false);
        _device.Activity.Answer(reason, quiesced: false);
        _session.DeviceThrew(DeviceCallback.Quiesce, _command, exception);
        return Session.Threw;
    }

    private void GiveUpCommands() => Cancel(_clientGone);

    // The author's callbacks must run neither here nor on the thread that stops the server.
    private void Cancel(CancellationTokenSource source) => _ = source.CancelAsync().ContinueWith(
        (failed, _) => _session.DeviceThrew(DeviceCallback.Quiesce, null, failed.Exception!.GetBaseException()), null,
        CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
}
