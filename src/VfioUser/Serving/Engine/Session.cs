using System.Diagnostics;
using VfioUser.Protocol;

namespace VfioUser;

/// <summary>One client and the device, from the end of negotiation until the client has gone.</summary>
/// <remarks>Command thread, all of it.</remarks>
internal sealed class Session : IDisposable
{
    private readonly ServerRun _run;
    private readonly MessageChannel _channel;
    private readonly MessageChannel? _twin;
    private readonly ServerLog _log;
    private readonly VfioUserServerOptions _options;
    private readonly Refusals _refusals;
    private readonly CancellationTokenRegistration _stopping;
    private Thread? _commandThread; // only it may send replies
    private Thread? _replyPump;
    private readonly bool _mayBlock;
    private bool _metered;
    private bool _isLeaving;
    private long _pendingSince; // when the command that is pending was taken up; 0 for none, or if that is not measured
    private Command? _command; // that is handled

    public Session(ServerRun run, MessageChannel channel, MessageChannel? twin, SessionLimits limits, ReplyWriter replies)
    {
        (PciDevice device, VfioUserServerOptions options, ServerLog log) = (run.Device, run.Options, run.Log);
        _run = run;
        Device = device;
        Limits = limits;
        Replies = replies;
        _channel = channel;
        _twin = twin;
        _log = log;
        _options = options;
        _mayBlock = run.MayBlock;
        _refusals = new Refusals(device, log);
        DmaTrouble trouble = new(log, options.DmaTimeout);
        channel.UnmatchedReply = trouble.Unmatched;
        twin?.UnmatchedReply = trouble.Unmatched;
        int maxTransfer = Math.Min(limits.MaxTransferToSend, options.MaxDmaTransfer);
        DmaMessages = new DmaChannel(twin ?? channel, maxTransfer, FlushBeforeCall, trouble);
        int maxMaps = (int)Math.Min(options.MaxDmaMaps, limits.MaxDmaMaps);
        Quiescence = new Quiescence(this, channel.Socket.Handle, run.Stopping);
        GuestRegions = new GuestRegions(device, DmaMessages, maxMaps, options.TrustClientMemory, options.MaxDirtyBitmapSize, log)
        {
            Stopping = run.Stopping,
            Threw = (callback, e) => DeviceThrew(callback, _command, e),
        };
        Steps = new CommandSteps(this);
        Unmapping = new Unmapping(this, channel.Socket.Handle, run.Stopping);
        // a device that waits for its reply there does not notice that the main socket was shut down
        if (twin is not null)
            _stopping = run.Stopping.Register(twin.Shutdown);
        device.Unmodelled.Observer = log;
        device.Unmodelled.IsStrict = options.RefuseUnmodelledAccesses;
        device.Dma.HasClient = true;
        log.Metrics.SessionBegan(device);
    }

    public PciDevice Device { get; }

    public SessionLimits Limits { get; }

    public ReplyWriter Replies { get; }

    public GuestRegions GuestRegions { get; }

    /// <summary>How memory is accessed that comes by message.</summary>
    public DmaChannel DmaMessages { get; }

    public Quiescence Quiescence { get; }

    public bool ServesPreCopyInfo => _options.PreCopyInfo;

    /// <summary>Whether the client reads nothing behind the header of a refusal, and takes what is there for the next one.</summary>
    public bool StopsAtError { get; init; }

    public Unmapping Unmapping { get; }

    public CommandSteps Steps { get; }

    /// <summary>Why a command is refused whose handling threw.</summary>
    public static Refusal Threw => new(Errno.EIO, "the device threw");

    /// <summary>Whether a command, or the client's end, waits for the device.</summary>
    public bool IsPending => Quiescence.IsPending || Unmapping.IsPending;

    /// <summary>Whether the client has to read replies before it is listened to again.</summary>
    public bool HasOutput => _channel.Socket.HasOutput;

    /// <summary>Whether there are commands that were received and can be handled now, without a look at the socket.</summary>
    public bool HasReceived => !HasOutput && !IsPending && _channel.HasReceived;

    /// <summary>Becomes readable when it is worthwhile to go on with what is pending; null while nothing is.</summary>
    public System.Runtime.InteropServices.SafeHandle? PendingDescriptor => Quiescence.Descriptor ?? Unmapping.Descriptor;

    public ServerLog Log => _log;

    /// <summary>Tells the device that a client is there. Before its first command.</summary>
    public void Begin()
    {
        // without it, whoever waits for a reply receives by itself
        if (_twin is not null && _mayBlock)
        {
            _replyPump = new Thread(_twin.PumpReplies) { Name = "vfio-user replies", IsBackground = true };
            _replyPump.Start();
        }
        try
        {
            Device.Attached();
        }
        catch (Exception e)
        {
            DeviceThrew(DeviceCallback.Attached, command: null, e);
        }
        Guarded(DeviceCallback.Other, () => Device.Notifiers.Attach((code, e) => DeviceThrew(code, command: null, e)));
    }

    /// <summary>Receives once, handles what came, in order, and answers it at once.</summary>
    /// <param name="budget">How many commands it may handle; counted down.</param>
    /// <returns>False when the client has gone.</returns>
    /// <remarks>Where it may not block, it also comes back when nothing is there, while the client has to read replies, and
    /// while a command is pending: then it is of use again when <see cref="PendingDescriptor"/> is readable, or the client hangs up.</remarks>
    public bool Step(ref int budget)
    {
        _commandThread = Thread.CurrentThread;
        try
        {
            // who has to read replies first is not listened to
            if (HasOutput && !_channel.Socket.TrySendOutput())
                return false;
            return HasOutput || HandleOnce(ref budget);
        }
        finally
        {
            _commandThread = null;
        }
    }

    /// <summary>Answers the header that broke the stream; nothing that follows it can be read.</summary>
    public void Refuse(in MessageHeader header)
    {
        Replies.Fail(header, Errno.EINVAL);
        Replies.Flush();
    }

    /// <inheritdoc cref="ServerRun.DeviceThrew"/>
    public void DeviceThrew(DeviceCode where, Command? command, Exception caught) => _run.DeviceThrew(where, command, caught);

    /// <summary>The client has gone: has the device come to rest, and its memory unmapped, without waiting.</summary>
    /// <returns>False while something is pending.</returns>
    public bool TryLeave()
    {
        if (!_isLeaving)
        {
            _isLeaving = true;
            Device.Dma.HasClient = false;
            // whoever waits for a reply of this client must not hold up the unmapping
            _channel.Shutdown();
            _twin?.Shutdown();
        }
        return Quiescence.TryLeave() && Unmapping.TryLeave();
    }

    /// <summary>The client has gone: its memory and its interrupts go too, the device's state stays. Waits for what is pending.</summary>
    public void Dispose()
    {
        Guarded(DeviceCallback.DmaUnmapping, () =>
        {
            while (!TryLeave())
                AwaitPending();
        });
        GuestRegions.Dispose();
        Guarded(DeviceCallback.Detached, Device.Detached);
        Quiescence.Resume();
        Quiescence.Dispose();
        Unmapping.Dispose();
        Steps.Drop();
        _stopping.Dispose();
        _replyPump?.Join();
        _twin?.Dispose();
        _channel.Dispose();
        _refusals.SayTotal();
        _log.Metrics.SessionEnded();
    }

    private ReceiveStatus Receive(out ReceivedMessage message)
    {
        if (_run.Turn is not { } turn || !turn.TrySleep())
            return _channel.ReceiveCommand(wait: false, out message);
        try
        {
            return _channel.ReceiveCommand(wait: true, out message);
        }
        finally
        {
            turn.Wake();
        }
    }

    private ReceiveStatus Continue(out ReceivedMessage message)
    {
        if (_mayBlock)
            AwaitPending();
        if (IsPending)
            return Steps.TryContinue(out message);
        // the server stops, and it was given up
        message = default;
        return ReceiveStatus.Closed;
    }

    private void AwaitPending()
    {
        if (Quiescence.IsPending)
            Quiescence.Await();
        else
            Unmapping.Await();
    }

    private bool HandleOnce(ref int budget)
    {
        // asked here, where nobody waits for an answer
        _metered = _log.Metrics.AreCommandsMetered;
        ReceivedMessage message;
        ReceiveStatus status = IsPending ? Continue(out message) : Receive(out message);
        if (status != ReceiveStatus.Received)
            return status == ReceiveStatus.Empty;
        do
        {
            // it is pending, or the client left before: what is behind it waits, or is dropped
            if (!Dispatch(message))
                return Replies.Flush() && IsPending;
        }
        while (--budget > 0 && !HasOutput && _channel.TryNextBuffered(out message));
        return Replies.Flush();
    }

    // False when no more commands are to be handled: not yet, or not at all.
    private bool Dispatch(in ReceivedMessage message)
    {
        long began = _metered ? Began() : 0;
        CommandHandler? handler = CommandTable.Find(message.Header.Command);
        CommandOutcome outcome;
        try
        {
            _command = message.Header.Command;
            outcome = Steps.IsDeferred ? Steps.Resume(message) : Handle(handler, message);
        }
        catch (Exception e)
        {
            DeviceThrew(handler?.Code ?? default, message.Header.Command, e);
            outcome = Threw;
        }
        finally
        {
            message.Fds?.Dispose();
            _command = null;
        }
        if (outcome.Kind == OutcomeKind.Deferred)
        {
            _pendingSince = began;
            return false;
        }
        if (_metered)
            _log.Metrics.Handled(message.Header.Command, outcome.Refusal.Errno, began);
        if (outcome.Kind != OutcomeKind.Replied)
            Refuse(handler, message, outcome.Refusal);
        return true;
    }

    private void Refuse(CommandHandler? handler, in ReceivedMessage message, in Refusal refusal)
    {
        _refusals.Add(message.Header, refusal);
        if (handler is null || StopsAtError || !message.Header.IsCommand)
            Replies.Fail(message.Header, refusal.Errno);
        else
            handler.Refuse(this, message, refusal);
    }

    private long Began()
    {
        long since = _pendingSince;
        _pendingSince = 0;
        return since != 0 ? since : Stopwatch.GetTimestamp();
    }

    private CommandOutcome Handle(CommandHandler? handler, in ReceivedMessage message)
    {
        // what came before the session began; later ones are dropped where they are received
        if (message.Header.IsReply)
        {
            // to answer an answer is to invite another one
            _log.ReplyDropped(message.Header.Command, message.Header.MessageId);
            return CommandOutcome.Replied;
        }
        if (!message.Header.IsCommand)
            return Refusal.Invalid("flags 0x{0:x} say neither command nor reply", (uint)message.Header.Flags);
        if (handler is null)
        {
            return ProtocolCommands.Find(message.Header.Command) is null
                ? Refusal.Invalid("there is no command {0}", (ulong)message.Header.Command)
                : Refusal.Invalid("command {0} is one that servers send", (ulong)message.Header.Command);
        }
        if (message.FdProblem != Errno.None && handler.NeedsFds(message))
            return new Refusal(message.FdProblem, "descriptors that came with it were lost");
        return Steps.Run(handler, message);
    }

    // Replies that are still to be sent must not wait for the client's answer: it may wait for them.
    private void FlushBeforeCall()
    {
        if (Thread.CurrentThread != _commandThread)
            return;
        Replies.Flush();
        if (HasOutput)
            _channel.Socket.FlushOutput(Deadline.After(_options.DmaTimeout));
    }

    private void Guarded(DeviceCode code, Action action)
    {
        try
        {
            action();
        }
        catch (Exception e)
        {
            DeviceThrew(code, command: null, e);
        }
    }
}
