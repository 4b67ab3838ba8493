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
    private readonly CancellationTokenRegistration _stopping;
    private Thread? _commandThread; // only it may send replies
    private Thread? _replyPump;

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
        DmaChannel dma = new(twin ?? channel, limits.MaxTransferToSend, FlushBeforeCall);
        int maxMaps = (int)Math.Min(options.MaxDmaMaps, limits.MaxDmaMaps);
        DmaMappings = new DmaMappings(device, dma, maxMaps, options.TrustClientMemory, options.MaxDirtyBitmapSize, log) { Stopping = run.Stopping };
        // a device that waits for its reply there does not notice that the main socket was shut down
        if (twin is not null)
            _stopping = run.Stopping.Register(twin.Shutdown);
    }

    public PciDevice Device { get; }

    public SessionLimits Limits { get; }

    public ReplyWriter Replies { get; }

    public DmaMappings DmaMappings { get; }

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
    public ReceiveStatus RunOnce(bool wait)
    {
        ReceiveStatus status = _channel.ReceiveCommand(wait, out ReceivedMessage message);
        if (status != ReceiveStatus.Received)
            return status;
        do
            Dispatch(message);
        while (_channel.TryNextBuffered(out message));
        return Replies.Flush() ? ReceiveStatus.Received : ReceiveStatus.Closed;
    }

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

    /// <summary>The client has gone: its memory and its interrupts go too, the device's state stays.</summary>
    public void Dispose()
    {
        // whoever waits for a reply of this client must not hold up the unmapping
        _channel.Shutdown();
        _twin?.Shutdown();
        Guarded(Command.DmaUnmap, DmaMappings.UnmapAll);
        Guarded(Command.Version, Device.Detached);
        _stopping.Dispose();
        _replyPump?.Join();
        _twin?.Dispose();
        _channel.Dispose();
    }

    private void Dispatch(in ReceivedMessage message)
    {
        Errno errno;
        try
        {
            errno = Handle(message);
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
        if (errno == Errno.None)
            return;
        _log.Refused(message.Header.Command, message.Header.MessageId, message.Header.MessageSize, errno);
        Replies.Fail(message.Header, errno);
    }

    private Errno Handle(in ReceivedMessage message)
    {
        if (!message.Header.IsCommand)
        {
            // an answer to the device's DMA that came too late: nobody waits for it, and clients expect no answer to an answer
            return message.Header is { IsReply: true, Command: Command.DmaRead or Command.DmaWrite } ? Errno.None : Errno.EINVAL;
        }
        if (message.FdProblem != Errno.None)
            return message.FdProblem;
        if (CommandTable.Find(message.Header.Command) is not { } handler || (message.Fds is not null && message.FdCount > handler.MaxFds))
            return Errno.EINVAL;
        if (Device.Migration is { } migration && !migration.Allows(message.Header.Command))
            return Errno.EINVAL;
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
