using System.Diagnostics;
using VfioUser.Protocol;

namespace VfioUser;

/// <summary>One client and the device, from the end of negotiation until the client has gone.</summary>
/// <remarks>Command thread, all of it.</remarks>
internal sealed partial class Session : IDisposable
{
    private readonly MessageChannel _channel;
    private readonly MessageChannel? _twin;
    private readonly ServerLog _log;
    private readonly VfioUserServerOptions _options;
    private readonly Refusals _refusals;
    private readonly CancellationTokenRegistration _stopping;
    private Thread? _commandThread; // only it may send replies
    private Thread? _replyPump;
    private bool _metered;

    public Session(ServerRun run, MessageChannel channel, MessageChannel? twin, SessionLimits limits, ReplyWriter replies)
    {
        (PciDevice device, VfioUserServerOptions options, ServerLog log) = (run.Device, run.Options, run.Log);
        Device = device;
        Limits = limits;
        Replies = replies;
        _channel = channel;
        _twin = twin;
        _log = log;
        _options = options;
        _refusals = new Refusals(device, log);
        DmaTrouble trouble = new(log, options.DmaTimeout);
        channel.UnmatchedReply = trouble.Unmatched;
        twin?.UnmatchedReply = trouble.Unmatched;
        int maxTransfer = Math.Min(limits.MaxTransferToSend, options.MaxDmaTransfer);
        DmaChannel dma = new(twin ?? channel, maxTransfer, FlushBeforeCall, trouble);
        int maxMaps = (int)Math.Min(options.MaxDmaMaps, limits.MaxDmaMaps);
        Quiescence = new Quiescence(this, channel.Socket.Handle, run.Stopping);
        DmaMappings = new DmaMappings(device, dma, maxMaps, options.TrustClientMemory, options.MaxDirtyBitmapSize, log)
        {
            Stopping = run.Stopping,
            Threw = DeviceThrew,
        };
        Unmapping = new Unmapping(this, channel.Socket.Handle, run.Stopping);
        // a device that waits for its reply there does not notice that the main socket was shut down
        if (twin is not null)
            _stopping = run.Stopping.Register(twin.Shutdown);
        device.Dma.HasClient = true;
        log.Metrics.SessionBegan(device);
    }

    public PciDevice Device { get; }

    public SessionLimits Limits { get; }

    public ReplyWriter Replies { get; }

    public DmaMappings DmaMappings { get; }

    public Quiescence Quiescence { get; }

    public bool ServesPreCopyInfo => _options.PreCopyInfo;

    /// <summary>Whether the client reads nothing behind the header of a refusal, and takes what is there for the next one.</summary>
    public bool StopsAtError { get; init; }

    public Unmapping Unmapping { get; }

    /// <summary>Whether a command, or the client's end, waits for the device, and nobody for that.</summary>
    public bool IsPending => Quiescence.IsPending || Unmapping.IsPending;

    /// <summary>Becomes readable when it is worthwhile to go on with what is pending; null while nothing is.</summary>
    public System.Runtime.InteropServices.SafeHandle? PendingDescriptor => Quiescence.Descriptor ?? Unmapping.Descriptor;

    public ServerLog Log => _log;

    /// <summary>Handles the client's commands in order until it has gone or the server stops.</summary>
    public void Run()
    {
        _commandThread = Thread.CurrentThread;
        if (_twin is not null)
        {
            _replyPump = new Thread(_twin.PumpReplies) { Name = "vfio-user replies", IsBackground = true };
            _replyPump.Start();
        }
        Begin();
        while (RunOnce(wait: true) != ReceiveStatus.Closed)
        {
        }
    }

    /// <summary>Tells the device that a client is there. Before its first command.</summary>
    public void Begin()
    {
        try
        {
            Device.Attached();
        }
        catch (Exception e)
        {
            DeviceThrew(Command.Version, e);
        }
        Guarded(Command.Version, () => Device.Notifiers.Attach(e => DeviceThrew(Command.RegionWrite, e)));
    }

    /// <summary>Handles what came at once, and answers it at once.</summary>
    /// <remarks>Without waiting it comes back with <see cref="ReceiveStatus.Empty"/> too while the device is coming to rest
    /// for a command; then it is of use again when <see cref="PendingDescriptor"/> is readable, or the client hangs up.</remarks>
    public ReceiveStatus RunOnce(bool wait)
    {
        Quiescence.MayWait = wait;
        // asked here, where nobody waits for an answer
        _metered = _log.Metrics.AreCommandsMetered;
        ReceivedMessage message;
        ReceiveStatus status = IsPending ? Continue(out message) : _channel.ReceiveCommand(wait, out message);
        if (status != ReceiveStatus.Received)
            return status;
        while (Dispatch(message))
        {
            if (!_channel.TryNextBuffered(out message))
                return Replies.Flush() ? ReceiveStatus.Received : ReceiveStatus.Closed;
        }
        // the device is coming to rest, or the client left before it had: what is behind that command waits, or is dropped
        return Replies.Flush() && IsPending ? ReceiveStatus.Empty : ReceiveStatus.Closed;
    }

    private ReceiveStatus Continue(out ReceivedMessage message) =>
        Quiescence.IsPending ? Quiescence.Continue(out message) : Unmapping.Continue(out message);

    /// <summary>Answers the header that broke the stream; nothing that follows it can be read.</summary>
    public void Refuse(in MessageHeader header)
    {
        Replies.Fail(header, Errno.EINVAL);
        Replies.Flush();
    }

    public void DeviceThrew(Command command, Exception exception)
    {
        _log.DeviceThrew(command, exception);
        try
        {
            _options.DeviceException?.Invoke(new DeviceExceptionContext(Device, command, exception));
        }
        catch (Exception e)
        {
            _log.HookThrew(e);
        }
    }

    /// <summary>The client has gone: has the device come to rest, and its memory unmapped, without waiting.</summary>
    /// <returns>False while something is pending.</returns>
    public bool TryLeave() => Quiescence.TryLeave(wait: false) && Unmapping.TryLeave(wait: false);

    /// <summary>The client has gone: its memory and its interrupts go too, the device's state stays.</summary>
    public void Dispose()
    {
        Device.Dma.HasClient = false;
        // whoever waits for a reply of this client must not hold up the unmapping
        _channel.Shutdown();
        _twin?.Shutdown();
        Quiescence.TryLeave(wait: true);
        Guarded(Command.DmaUnmap, () => Unmapping.TryLeave(wait: true));
        DmaMappings.Dispose();
        Guarded(Command.Version, Device.Detached);
        Quiescence.Resume();
        Quiescence.Dispose();
        Unmapping.Dispose();
        _stopping.Dispose();
        _replyPump?.Join();
        _twin?.Dispose();
        _channel.Dispose();
        _refusals.SayTotal();
        _log.Metrics.SessionEnded();
    }

    // False when no more commands are to be handled: not yet, or not at all.
    private bool Dispatch(in ReceivedMessage message)
    {
        long began = _metered ? Stopwatch.GetTimestamp() : 0;
        CommandHandler? handler = null;
        Errno errno;
        try
        {
            errno = Handle(message, ref handler);
        }
        catch (Exception e)
        {
            DeviceThrew(message.Header.Command, e);
            errno = Errno.EIO;
        }
        finally
        {
            message.Fds?.Dispose();
        }
        if (errno == Quiescence.NoAnswer)
            return false;
        if (_metered)
            _log.Metrics.Handled(message.Header.Command, errno, began);
        if (errno == Errno.None)
            return true;
        _refusals.Add(message.Header, errno);
        if (handler is null || StopsAtError)
            Replies.Fail(message.Header, errno);
        else
            handler.Refuse(this, message, errno);
        return true;
    }

    private Errno Handle(in ReceivedMessage message, ref CommandHandler? handler)
    {
        // what came before the session began; later ones are dropped where they are received
        if (message.Header.IsReply)
        {
            // to answer an answer is to invite another one
            _log.ReplyDropped(message.Header.Command, message.Header.MessageId);
            return Errno.None;
        }
        if (!message.Header.IsCommand)
            return Errno.EINVAL;
        handler = CommandTable.Find(message.Header.Command);
        if (handler is null)
            return Errno.EINVAL;
        if (message.FdProblem != Errno.None && handler.NeedsFds(message))
            return message.FdProblem;
        return handler.Handle(this, message);
    }

    // Replies that are still to be sent must not wait for the client's answer: it may wait for them.
    private void FlushBeforeCall()
    {
        if (Thread.CurrentThread != _commandThread)
            return;
        Replies.Flush();
        if (HasUnsent)
            _channel.Socket.SendUnsent(Deadline.After(_options.DmaTimeout));
    }

    private void Guarded(Command command, Action action)
    {
        try
        {
            action();
        }
        catch (Exception e)
        {
            DeviceThrew(command, e);
        }
    }
}
