using System.Runtime.InteropServices;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>Has the device come to rest before commands that move the ground under it, and work again after them.</summary>
/// <remarks>
/// Command thread. Handlers look at all that can be wrong with a command, then come here, then do it. Where nobody may wait
/// for the device, the command is kept, and handled once more from its beginning when the device has answered.
/// </remarks>
internal sealed class Quiescence : IDisposable
{
    /// <summary>The command is not to be answered: not yet, or never, since its client has gone.</summary>
    public const Errno NoAnswer = Errno.ECANCELED;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private readonly Session _session;
    private readonly PciDevice _device;
    private readonly SafeHandle _socket;
    private readonly CancellationToken _stopping;
    private readonly CancellationTokenSource _clientGone = new();
    private readonly CancellationTokenSource _outOfPatience = new();
    private readonly CancellationTokenRegistration _stop;
    private QuiesceRequest? _pending;
    private ReceivedMessage? _kept;
    private Command _command;
    private Errno _refused;
    private int _progress;
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

    /// <summary>Whether whoever asks may be made to wait for the device.</summary>
    public bool MayWait { get; set; } = true;

    /// <summary>Whether a command waits for the device to come to rest; those behind it must not be handled.</summary>
    public bool IsPending => _pending is not null;

    /// <summary>Whether it matters for what is pending that the client hangs up.</summary>
    public bool LooksAtClient => _pending is { Reason: not QuiesceReason.ClientGone } && !_clientGone.IsCancellationRequested;

    /// <summary>Becomes readable when it is worthwhile to go on with what is pending; null while nothing is.</summary>
    public SafeHandle? Descriptor => _pending?.Descriptor;

    /// <summary>Has the device come to rest for a command that is sound.</summary>
    /// <returns>To be disposed when the command has been carried out, or refused with the errno that it has.</returns>
    public Rest ComeToRest(QuiesceReason reason, in ReceivedMessage message)
    {
        Errno errno = _refused;
        _refused = Errno.None;
        _command = message.Header.Command;
        if (errno == Errno.None && !_device.IsAtRest)
        {
            errno = Ask(reason, _clientGone.Token);
            if (errno == NoAnswer && IsPending)
                _kept = Keep(message);
        }
        return new Rest(errno == Errno.None ? this : null, errno);
    }

    /// <summary>Remembers how much of the pending command has been done, if one is pending.</summary>
    public void Keep(int progress) => _progress = IsPending ? progress : 0;

    /// <summary>How much of a command was done before it became pending, which is not to be done again.</summary>
    public int TakeProgress()
    {
        int progress = _progress;
        _progress = 0;
        return progress;
    }

    /// <summary>Goes on with the pending command, if the device has answered.</summary>
    public ReceiveStatus Continue(out ReceivedMessage message)
    {
        message = default;
        Errno errno = Conclude();
        if (errno == NoAnswer)
            return IsPending ? ReceiveStatus.Empty : ReceiveStatus.Closed;
        if (_kept is not { } kept)
            return ReceiveStatus.Closed; // it was asked because the client has gone
        message = kept;
        _kept = null;
        _refused = errno;
        return ReceiveStatus.Received;
    }

    /// <summary>The client has gone: drops what is pending, and has the device come to rest before its memory goes.</summary>
    /// <returns>False while the device has not answered, if it may not be waited for.</returns>
    public bool TryLeave(bool wait)
    {
        MayWait = wait;
        _leaving = true;
        if (IsPending && Conclude() == NoAnswer && IsPending)
            return false;
        DropKept();
        if (_device.IsAtRest || _askedToLeave || _device.Unanswered is { IsAnswered: false })
            return true;
        _askedToLeave = true;
        _command = Command.DmaUnmap;
        return Ask(QuiesceReason.ClientGone, _outOfPatience.Token) != NoAnswer || !IsPending;
    }

    /// <summary>What the device was at rest for is over.</summary>
    public void Resume()
    {
        // memory that it was quiesced for is still to become free
        if (_session.Unmapping.IsPending)
            return;
        try
        {
            _device.Resume();
        }
        catch (Exception e)
        {
            _session.DeviceThrew(_command, e);
        }
    }

    public void Dispose()
    {
        _stop.Dispose();
        DropKept();
        // a source that was cancelled holds nothing, and may be calling still
        if (!_clientGone.IsCancellationRequested)
            _clientGone.Dispose();
        if (!_outOfPatience.IsCancellationRequested)
            _outOfPatience.Dispose();
    }

    private Errno Ask(QuiesceReason reason, CancellationToken cancellation)
    {
        if (_device.Unanswered is { } earlier)
        {
            // one question at a time: the answer to the old one is as good
            _device.Unanswered = null;
            _pending = new QuiesceRequest(earlier.Task, earlier.Reason, _stopping);
            return Conclude();
        }
        try
        {
            ValueTask<bool> answer = _device.QuiesceAsync(reason, cancellation);
            if (answer.IsCompleted)
                return Answered(reason, answer.GetAwaiter().GetResult());
            _pending = new QuiesceRequest(answer.AsTask(), reason, _stopping);
        }
        catch (Exception e)
        {
            return Failed(reason, e);
        }
        return Conclude();
    }

    // What the device answered to what is pending; NoAnswer as long as there is none, or if it is for a client that has gone.
    private Errno Conclude()
    {
        QuiesceRequest request = _pending!;
        if (!request.IsAnswered && !Wait(request))
        {
            if (MayWait)
                Abandon(request);
            return NoAnswer;
        }
        // a device may have come to rest just because its client has gone
        LookAtClient(request);
        _pending = null;
        request.Dispose();
        Errno errno;
        try
        {
            errno = Answered(request.Reason, request.Task.GetAwaiter().GetResult());
        }
        catch (Exception e)
        {
            errno = Failed(request.Reason, e);
        }
        return _clientGone.IsCancellationRequested ? NoAnswer : errno;
    }

    private bool Wait(QuiesceRequest request)
    {
        // a virtual CPU that waits for an earlier reply must not wait for the device as well
        _session.Replies.Flush();
        while (!request.IsAnswered)
        {
            bool stops = _stopping.IsCancellationRequested;
            bool watches = LookAtClient(request);
            if (!MayWait)
                return request.IsAnswered;
            if (request.Wait(watches ? _socket : null, Patience))
                continue;
            if (!stops)
                _session.Log.QuiesceWaits(request.Reason);
            else if (_outOfPatience.IsCancellationRequested || request.Reason != QuiesceReason.ClientGone)
                return request.IsAnswered;
            else
                Cancel(_outOfPatience);
        }
        return true;
    }

    // Whether the client is there still, so that the command is worth waiting for.
    private bool LookAtClient(QuiesceRequest request)
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
        _device.Unanswered = request;
        _pending = null;
        request.Dispose();
    }

    private Errno Answered(QuiesceReason reason, bool atRest)
    {
        if (atRest)
            _device.CameToRest(reason);
        else if (reason == QuiesceReason.ClientGone)
            _session.Log.QuiesceFailed();
        return atRest ? Errno.None : Errno.EBUSY;
    }

    private Errno Failed(QuiesceReason reason, Exception exception)
    {
        // who was told to give up may say so like this
        if (exception is OperationCanceledException && (_clientGone.IsCancellationRequested || _outOfPatience.IsCancellationRequested))
            return Answered(reason, atRest: false);
        _session.DeviceThrew(_command, exception);
        return Errno.EIO;
    }

    private void GiveUpCommands() => Cancel(_clientGone);

    // The author's callbacks must run neither here nor on the thread that stops the server.
    private void Cancel(CancellationTokenSource source) => _ = source.CancelAsync().ContinueWith(
        (failed, _) => _session.DeviceThrew(_command, failed.Exception!.GetBaseException()), null,
        CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);

    // The bytes stay where they are until the next message is asked for; descriptors would go when the handler returns.
    internal static ReceivedMessage Keep(in ReceivedMessage message)
    {
        FdList? fds = null;
        if (message.Fds is not null)
        {
            fds = new FdList();
            fds.Append(message.Fds);
        }
        return new ReceivedMessage(message.Header, message.Buffer, message.HeaderOffset, fds, message.FdProblem);
    }

    private void DropKept()
    {
        _kept?.Fds?.Dispose();
        _kept = null;
    }
}
