using System.Diagnostics;
using System.Runtime.CompilerServices;
using VfioUser.Protocol;

namespace VfioUser;

/// <summary>A session: a client and the device, from the end of negotiation until the client has disconnected.</summary>
/// <remarks>Command thread, except where noted.</remarks>
internal sealed class Session : IDisposable
{
    private readonly ServerRun _run;
    private readonly MessageChannel _channel;
    private readonly MessageChannel? _twin;
    private readonly ServerLog _log;
    private readonly VfioUserServerOptions _options;
    private readonly Refusals _refusals;
    private readonly CancellationTokenRegistration _stopping;
    private Thread? _commandThread; // the only one that may send replies; null outside of Step
    private Thread? _replyPump;
    private readonly bool _mayBlock;
    private bool _metered;
    private bool _isLeaving;
    private bool _hasCommands;
    private long _began; // start of the command being handled; 0 if it is not measured
    private long _pendingSince; // start of the pending command; 0 for none, or if it is not measured
    private Command? _command; // the one being handled

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
        LargeWrites = new LargeWrites(this);
        channel.Placement = LargeWrites;
        DmaTrouble trouble = new(log, options.DmaTimeout);
        channel.UnmatchedReply = trouble.Unmatched;
        twin?.UnmatchedReply = trouble.Unmatched;
        int maxTransfer = Math.Min(limits.MaxTransferToSend, options.MaxDmaTransfer);
        DmaMessages = new DmaChannel(twin ?? channel, maxTransfer, FlushBeforeCall, trouble);
        int maxMaps = (int)Math.Min(options.MaxDmaMaps, limits.MaxDmaMaps);
        Quiescence = new Quiescence(this, channel.Socket.Handle, run.Stopping);
        GuestRegions = new GuestRegions(device, DmaMessages, maxMaps, options.TrustClientMemory, options.MaxDirtyBitmapMemory, log)
        {
            Stopping = run.Stopping,
            Threw = (callback, e) => DeviceThrew(callback, _command, e),
        };
        Steps = new CommandSteps(this);
        Unmapping = new Unmapping(this, channel.Socket.Handle, run.Stopping);
        // a device that waits for a reply on the twin socket would not notice that the main socket was shut down
        if (twin is not null)
            _stopping = run.Stopping.Register(twin.Shutdown);
        device.Unmodelled.Observer = log;
        device.Unmodelled.IsStrict = options.RefuseUnmodelledAccesses;
        device.Dma.Observer = log;
        device.Dma.ByMessage = new DmaMessageAccess(DmaMessages, ((IGuestMemoryObserver)log).MeterOf(DmaBacking.Message));
        device.Dma.HasClient = true;
        log.Metrics.SessionBegan(device);
    }

    public PciDevice Device { get; }

    public SessionLimits Limits { get; }

    public ReplyWriter Replies { get; }

    public GuestRegions GuestRegions { get; }

    public LargeWrites LargeWrites { get; }

    /// <summary>Access to guest memory by DMA_READ and DMA_WRITE messages.</summary>
    public DmaChannel DmaMessages { get; }

    public Quiescence Quiescence { get; }

    public bool ServesPreCopyInfo => _options.PreCopyInfo;

    /// <summary>Whether the client does not read the payload of an error reply, and would take it for the next header.</summary>
    public bool StopsAtError { get; init; }

    public Unmapping Unmapping { get; }

    public CommandSteps Steps { get; }

    /// <summary>The refusal of a command during which the device threw.</summary>
    public static Refusal Threw => new(Errno.EIO, "the device threw");

    /// <summary>Whether a command, or a disconnect, waits for the device.</summary>
    public bool IsPending => Quiescence.IsPending || Unmapping.IsPending;

    /// <summary>Whether there is buffered output: no more is received until the client has read it.</summary>
    public bool HasOutput => _channel.Socket.HasOutput;

    /// <summary>Whether there are received commands that can be handled now.</summary>
    public bool HasReceived => !HasOutput && !IsPending && _channel.HasReceived;

    /// <summary>Readable when pending work can continue; null if nothing is pending.</summary>
    public System.Runtime.InteropServices.SafeHandle? PendingDescriptor => Quiescence.Descriptor ?? Unmapping.Descriptor;

    public ServerLog Log => _log;

    /// <summary>Attaches the client to the device, before its first command.</summary>
    public void Begin()
    {
        // without this thread, a thread that waits for a reply receives it itself
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

    /// <summary>Receives once, handles the commands in order, and sends the replies.</summary>
    /// <param name="budget">Commands that may still be handled; counted down.</param>
    /// <returns>False when the client has disconnected.</returns>
    /// <remarks>If it may not block, it also returns if nothing has arrived, if there is buffered output, and if a command is
    /// pending: then call it again when <see cref="PendingDescriptor"/> is readable, or the client hangs up.</remarks>
    public bool Step(ref int budget)
    {
        _commandThread = Thread.CurrentThread;
        try
        {
            // receive nothing until the client has read its replies
            if (HasOutput && !_channel.Socket.TrySendOutput())
                return false;
            return HasOutput || HandleOnce(ref budget);
        }
        finally
        {
            _commandThread = null;
        }
    }

    /// <summary>Replies with an error to an invalid header, after which nothing more can be received.</summary>
    public void Refuse(in MessageHeader header)
    {
        Replies.Fail(header, Errno.EINVAL);
        Replies.Flush();
    }

    /// <inheritdoc cref="ServerRun.DeviceThrew"/>
    public void DeviceThrew(DeviceCode where, Command? command, Exception caught) => _run.DeviceThrew(where, command, caught);

    /// <summary>The answer to a command in which code of the device threw. An error that the device chose is no failure.</summary>
    /// <inheritdoc cref="ServerRun.DeviceThrew"/>
    public Refusal RefusalFor(DeviceCode where, Command? command, Exception caught)
    {
        if (DeviceCodeException.Unwrap(caught, where, out DeviceCode code) is DeviceErrnoException chosen)
            return new Refusal(chosen.Errno, $"the device refuses it, in {code}".Replace("{", "{{", StringComparison.Ordinal).Replace("}", "}}", StringComparison.Ordinal));
        DeviceThrew(where, command, caught);
        return Threw;
    }

    /// <summary>The client has disconnected: quiesces the device and unmaps the client's memory, without blocking.</summary>
    /// <returns>False while that is pending.</returns>
    public bool TryLeave()
    {
        if (!_isLeaving)
        {
            _isLeaving = true;
            Device.Dma.HasClient = false;
            // wake threads that wait for a reply of this client: the unmap waits for them
            _channel.Shutdown();
            _twin?.Shutdown();
        }
        return Quiescence.TryLeave() && Unmapping.TryLeave();
    }

    /// <summary>The client has disconnected: unmaps its memory, removes its eventfds, detaches it. Waits for the device.</summary>
    public void Dispose()
    {
        Guarded(DeviceCallback.DmaUnmapping, () =>
        {
            while (!TryLeave())
            {
                _run.Turn?.ClientStays?.Invoke(); // others are told that the device is in use
                AwaitPending();
            }
        });
        Device.Dma.ByMessage = null;
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
        _refusals.LogTotal();
        _log.Metrics.SessionEnded();
    }

    private ReceiveStatus Receive(out ReceivedMessage message)
    {
        if (_run.Turn is not { } turn || !turn.TrySleep())
            return _channel.ReceiveCommand(wait: false, out message);
        try
        {
            if (!_hasCommands && TryReceiveFirst(turn, out message) is var first and not ReceiveStatus.Empty)
                return first;
            return _channel.ReceiveCommand(wait: true, out message);
        }
        finally
        {
            turn.Wake();
        }
    }

    // Empty when the client stays: it is silent, or has sent a part of a command.
    private ReceiveStatus TryReceiveFirst(CommandTurn turn, out ReceivedMessage message)
    {
        message = default;
        if (!_channel.HasReceived && !turn.IsReadableSoon(_channel.Socket.Handle))
            return ReceiveStatus.Empty;
        ReceiveStatus status = _channel.ReceiveCommand(wait: false, out message);
        if (status == ReceiveStatus.Empty)
            turn.ClientStays?.Invoke();
        return status;
    }

    private ReceiveStatus Continue(out ReceivedMessage message)
    {
        if (_mayBlock)
            AwaitPending();
        if (IsPending)
            return Steps.TryContinue(out message);
        // the server stops, and the wait was abandoned
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
        // checked here and not for each command, when the client waits for a reply
        _metered = _log.Metrics.AreCommandsMetered;
        ReceivedMessage message;
        ReceiveStatus status = IsPending ? Continue(out message) : Receive(out message);
        if (status != ReceiveStatus.Received)
            return status == ReceiveStatus.Empty;
        if (!_hasCommands)
        {
            _hasCommands = true;
            // not for a client that only asks for the version
            _channel.Socket.SetBufferSizes();
            _run.Turn?.ClientStays?.Invoke();
        }
        bool handled = HandleAll(message, ref budget);
        return Replies.Flush() && (handled || IsPending);
    }

    // False if a command is pending, or was dropped after a disconnect: later commands wait, or are dropped.
    private bool HandleAll(ReceivedMessage message, ref int budget)
    {
        do
        {
            // around the loop, since the JIT keeps nothing in registers inside of a try block
            try
            {
                do
                {
                    if (!Dispatch(message))
                        return false;
                }
                while (TryNext(ref budget, out message));
                return true;
            }
            catch (Exception e)
            {
                CommandHandler? handler = CommandTable.Find(message.Header.Command);
                Conclude(handler, message, RefusalFor(handler?.CodeOf(Device, message) ?? default, message.Header.Command, e));
            }
        }
        while (TryNext(ref budget, out message));
        return true;
    }

    private bool TryNext(ref int budget, out ReceivedMessage message)
    {
        if (--budget > 0 && !HasOutput)
            return _channel.TryNextBuffered(out message);
        message = default;
        return false;
    }

    private bool Dispatch(in ReceivedMessage message)
    {
        _began = _metered ? Began() : 0;
        _command = message.Header.Command;
        CommandHandler? handler = CommandTable.Find(message.Header.Command);
        return Conclude(handler, message, Steps.IsDeferred ? Steps.Resume(message) : Handle(handler, message));
    }

    // False if the command is pending or dropped.
    private bool Conclude(CommandHandler? handler, in ReceivedMessage message, CommandOutcome outcome)
    {
        message.Fds?.Dispose();
        _command = null;
        if (outcome.Kind == OutcomeKind.Deferred)
        {
            _pendingSince = _began;
            return false;
        }
        if (_metered)
            _log.Metrics.Handled(message.Header.Command, outcome.Refusal.Errno, _began);
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

    private CommandOutcome Handle(CommandHandler? handler, in ReceivedMessage message) =>
        handler is not null && message.Header.IsCommand && message.FdProblem == Errno.None
            ? Steps.Run(handler, message)
            : HandleUnusual(handler, message);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private CommandOutcome HandleUnusual(CommandHandler? handler, in ReceivedMessage message)
    {
        // one that arrived before the session started; the channel drops later ones
        if (message.Header.IsReply)
        {
            // a reply must not be replied to, or two peers could go on for ever
            _log.ReplyDropped(message.Header.Command, message.Header.MessageId);
            return CommandOutcome.Replied;
        }
        if (!message.Header.IsCommand)
            return Refusal.Invalid("flags 0x{0:x} are neither those of a command nor of a reply", (uint)message.Header.Flags);
        if (handler is null)
        {
            return ProtocolCommands.Find(message.Header.Command) is null
                ? Refusal.Invalid("there is no command {0}", (ulong)message.Header.Command)
                : Refusal.Invalid("only servers send command {0}", (ulong)message.Header.Command);
        }
        return handler.NeedsFds(message)
            ? new Refusal(message.FdProblem, "its descriptors were lost")
            : Steps.Run(handler, message);
    }

    // Sends buffered replies before a call: the client may wait for them before it replies.
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
