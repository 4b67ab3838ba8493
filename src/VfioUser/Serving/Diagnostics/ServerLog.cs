using Microsoft.Extensions.Logging;
using VfioUser.Protocol;

namespace VfioUser;

/// <summary>All log messages of a server. Event IDs and names are stable: they are part of the interface.</summary>
internal sealed partial class ServerLog(ILogger logger, ServerMetrics? metrics = null) : IMessageTrace, IUnmodelledObserver
{
    private readonly ILogger _logger = logger;

    /// <summary>The server's metrics; errors are counted where they are logged.</summary>
    public ServerMetrics Metrics { get; } = metrics ?? new ServerMetrics(ServerInstruments.Shared, MetricTags.Other);

    /// <summary>Gets what was refused, for inspectors; null for none.</summary>
    public RefusalHistory? History { get; init; }

    bool IMessageTrace.IsEnabled => Metrics.AreMessagesMetered || _logger.IsEnabled(LogLevel.Trace);

    [LoggerMessage(1, LogLevel.Information, "Listening on {Address}.")]
    public partial void Listening(string address);

    [LoggerMessage(2, LogLevel.Debug, "Client connected: process {ProcessId}, user {UserId}.")]
    public partial void Attached(int processId, uint userId);

    [LoggerMessage(3, LogLevel.Information, "Client detached: process {ProcessId}, user {UserId}: {Reason}.")]
    public partial void Detached(int processId, uint userId, string reason);

    [LoggerMessage(4, LogLevel.Warning, "Client refused: process {ProcessId}, user {UserId} may not attach.", EventName = nameof(PeerRefused))]
    private partial void LogPeerRefused(int processId, uint userId);

    public void PeerRefused(int processId, uint userId)
    {
        Metrics.Failed("peer_refused");
        History?.Add(Command.Version, Errno.EACCES, $"AcceptPeer refuses process {processId}, user {userId}");
        LogPeerRefused(processId, userId);
    }

    [LoggerMessage(5, LogLevel.Warning, "Negotiation failed with {Errno}: {Problem}.", EventName = nameof(NegotiationFailed))]
    private partial void LogNegotiationFailed(Errno errno, string problem);

    public void NegotiationFailed(Errno errno, string problem)
    {
        Metrics.Failed("negotiation_failed");
        History?.Add(Command.Version, errno, problem);
        LogNegotiationFailed(errno, problem);
    }

    [LoggerMessage(6, LogLevel.Information, "Client attached: process {ProcessId}, user {UserId}. Negotiated version {Major}.{Minor}, twin socket: {TwinSocket}; it proposed {Proposed}.",
        EventName = nameof(Negotiated))]
    private partial void LogNegotiated(int processId, uint userId, ushort major, ushort minor, bool twinSocket, string proposed);

    public void Negotiated(PeerCredentials peer, ProtocolVersion version, bool twinSocket, Capabilities proposed)
    {
        // the parsed values, since text of the client must not get into a log
        if (_logger.IsEnabled(LogLevel.Information))
            LogNegotiated(peer.ProcessId, peer.UserId, version.Major, version.Minor, twinSocket, VersionMessage.TextOf(proposed));
    }

    [LoggerMessage(7, LogLevel.Warning, "The session ends: {Problem}", EventName = nameof(SessionBroken))]
    private partial void LogSessionBroken(string problem);

    public void SessionBroken(string problem)
    {
        Metrics.Failed("session_broken");
        LogSessionBroken(problem);
    }

    [LoggerMessage(8, LogLevel.Error, "The session ends: the server failed.", EventName = nameof(SessionFailed))]
    private partial void LogSessionFailed(Exception exception);

    public void SessionFailed(Exception exception)
    {
        Metrics.Failed("session_failed");
        LogSessionFailed(exception);
    }

    [LoggerMessage(9, LogLevel.Error, "The device threw in {Code}.", EventName = nameof(DeviceThrew))]
    private partial void LogDeviceThrew(DeviceCode code, Exception exception);

    public void DeviceThrew(DeviceCode code, Exception exception)
    {
        Metrics.DeviceThrew(code.Callback, exception);
        LogDeviceThrew(code, exception);
    }

    [LoggerMessage(95, LogLevel.Information, "The guest {Access}. Reads give zeros and writes are ignored. Logged once.")]
    public partial void Unmodelled(string access);

    [LoggerMessage(10, LogLevel.Debug, "{Command} (message {MessageId}, {Size} bytes) refused with {Errno}: {Reason}.", EventName = nameof(Refused))]
    private partial void LogRefused(Command command, ushort messageId, uint size, Errno errno, Refusal reason);

    public void Refused(Command command, ushort messageId, uint size, Errno errno, Refusal reason)
    {
        History?.Add(command, messageId, size, reason);
        LogRefused(command, messageId, size, errno, reason);
    }

    [LoggerMessage(11, LogLevel.Debug, "DMA region {Address} of {Length} bytes mapped; backing: {Backing}.")]
    public partial void Mapped(Iova address, ulong length, DmaBacking backing);

    [LoggerMessage(12, LogLevel.Warning, "The unmap of DMA region {Address} of {Length} bytes is waiting for the device to release it.")]
    public partial void UnmapWaits(Iova address, ulong length);

    [LoggerMessage(13, LogLevel.Warning, "The server stops while the device is using DMA region {Address} of {Length} bytes.")]
    public partial void UnmapAbandoned(Iova address, ulong length);

    [LoggerMessage(14, LogLevel.Trace, "{Direction} {Message}")]
    public partial void Message(string direction, string message);

    [LoggerMessage(15, LogLevel.Error, "The OnDeviceException callback threw.", EventName = nameof(HookThrew))]
    private partial void LogHookThrew(Exception exception);

    public void HookThrew(Exception exception)
    {
        Metrics.Failed("hook_threw");
        LogHookThrew(exception);
    }

    [LoggerMessage(16, LogLevel.Warning, "Cannot accept clients; retrying: {Problem}.", EventName = nameof(CannotAccept))]
    private partial void LogCannotAccept(string problem);

    public void CannotAccept(string problem)
    {
        Metrics.Failed("cannot_accept");
        LogCannotAccept(problem);
    }

    [LoggerMessage(17, LogLevel.Debug, "Dropped a reply to {Command} (message {MessageId}) that no call is waiting for.")]
    public partial void ReplyDropped(Command command, ushort messageId);

    [LoggerMessage(18, LogLevel.Debug, "Inspectors connect to {Address}.")]
    public partial void Inspectable(string address);

    [LoggerMessage(19, LogLevel.Warning, "Inspector refused: process {ProcessId}, user {UserId}: {Reason}.", EventName = nameof(InspectorRefused))]
    private partial void LogInspectorRefused(int processId, uint userId, string reason);

    public void InspectorRefused(int processId, uint userId, string reason)
    {
        Metrics.Failed("inspector_refused");
        LogInspectorRefused(processId, userId, reason);
    }

    [LoggerMessage(20, LogLevel.Warning, "Inspection failed, and the session is not affected: {Problem}.", EventName = nameof(InspectionFailed))]
    private partial void LogInspectionFailed(string problem, Exception exception);

    public void InspectionFailed(Exception exception)
    {
        Metrics.Failed("inspection_failed");
        LogInspectionFailed(exception.Message, exception);
    }

    [LoggerMessage(40, LogLevel.Information, "Migration state {From} -> {To}.")]
    public partial void MigrationStateChanged(MigrationState from, MigrationState to);

    [LoggerMessage(41, LogLevel.Warning, "Migration from {From} to {To} failed; the device is in {Now}.")]
    public partial void MigrationStateFailed(MigrationState from, MigrationState to, MigrationState now);

    [LoggerMessage(42, LogLevel.Warning, "Migration data refused: {Problem}.")]
    public partial void MigrationDataRefused(string problem);

    [LoggerMessage(43, LogLevel.Information, "Dirty page logging started: {PageSize} bytes per page, {Bytes} bytes of bitmaps.")]
    public partial void DirtyPagesStarted(ulong pageSize, long bytes);

    [LoggerMessage(44, LogLevel.Warning, "Dirty bitmaps of {Bytes} bytes refused: the limit is {Limit}.")]
    public partial void DirtyPagesTooLarge(long bytes, long limit);

    [LoggerMessage(60, LogLevel.Warning, "The device was asked to quiesce ({Reason}) and has not answered yet.")]
    public partial void QuiesceWaits(QuiesceReason reason);

    [LoggerMessage(61, LogLevel.Warning, "The server stops before the device has answered whether it is quiesced ({Reason}).")]
    public partial void QuiesceAbandoned(QuiesceReason reason);

    [LoggerMessage(62, LogLevel.Warning, "The client has disconnected and the device was not quiesced: its memory is unmapped anyway.")]
    public partial void QuiesceFailed();

    [LoggerMessage(63, LogLevel.Warning, "The server stops, and is waiting for workers of the device: {Workers}.")]
    public partial void WorkersWait(string workers);

    [LoggerMessage(64, LogLevel.Warning, "The server has stopped without waiting any longer for workers of the device: {Workers}.")]
    public partial void WorkersAbandoned(string workers);

    [LoggerMessage(65, LogLevel.Information, "The device was reset, as it had requested.")]
    public partial void ResetOnRequest();

    [LoggerMessage(80, LogLevel.Warning, "The client violated the protocol: its reply to {Command} (message {MessageId}, {Size} bytes) {Problem}.",
        EventName = nameof(DmaReplyMalformed))]
    private partial void LogDmaReplyMalformed(Command command, ushort messageId, uint size, string problem);

    public void DmaReplyMalformed(bool first, Command command, ushort messageId, uint size, string problem)
    {
        Metrics.Failed("dma_reply_malformed");
        if (first)
            LogDmaReplyMalformed(command, messageId, size, problem);
    }

    [LoggerMessage(81, LogLevel.Warning, "The client has not replied to {Command} of {Count} bytes at {Address} within {Timeout}.", EventName = nameof(DmaTimedOut))]
    private partial void LogDmaTimedOut(Command command, ulong count, Iova address, TimeSpan timeout);

    public void DmaTimedOut(bool first, Command command, ulong count, Iova address, TimeSpan timeout)
    {
        Metrics.Failed("dma_timed_out");
        if (first)
            LogDmaTimedOut(command, count, address, timeout);
    }

    [LoggerMessage(82, LogLevel.Warning, "The client refused {Command} of {Count} bytes at {Address} with {Errno}.")]
    public partial void DmaRefused(Command command, ulong count, Iova address, Errno errno);

    [LoggerMessage(83, LogLevel.Warning, "Guest memory can no longer be accessed by DMA_READ and DMA_WRITE messages: {Problem}")]
    public partial void DmaStreamBroken(string problem);

    [LoggerMessage(84, LogLevel.Warning, "{Command} of {Count} bytes at {Address} failed: the client sent too many commands before its reply.")]
    public partial void DmaBehindCommands(Command command, ulong count, Iova address);

    [LoggerMessage(85, LogLevel.Warning, "The device accesses guest memory at {Address} while bus mastering is off, bit 2 of the Command register: it fails. Logged once until the guest enables it.")]
    public partial void WithoutBusMaster(Iova address);

    [LoggerMessage(90, LogLevel.Warning, "Guest memory {Address} of {Length} bytes is not mapped but accessed by {Backing}: {Reason}. Logged once per session for this reason.")]
    public partial void NotMapped(Iova address, ulong length, DmaBacking backing, string reason);

    [LoggerMessage(91, LogLevel.Warning, "{Command} (message {MessageId}, {Size} bytes) refused with {Errno}: {Reason}; further ones are counted until the session ends.")]
    public partial void FirstRefused(Command command, ushort messageId, uint size, Errno errno, Refusal reason);

    [LoggerMessage(92, LogLevel.Information, "Commands refused in this session: {Counts}.")]
    public partial void RefusedInAll(string counts);

    [LoggerMessage(93, LogLevel.Warning, "Client refused with EBUSY: process {ProcessId}, user {UserId}: {Reason}.", EventName = nameof(Busy))]
    private partial void LogBusy(int processId, uint userId, string reason);

    public void Busy(int processId, uint userId, string reason)
    {
        Metrics.Failed("busy");
        History?.Add(Command.Version, Errno.EBUSY, $"{reason}: process {processId}, user {userId}");
        LogBusy(processId, userId, reason);
    }

    [LoggerMessage(94, LogLevel.Error, "The device threw in Dispose.")]
    public partial void DisposeThrew(Exception exception);

    void IMessageTrace.Message(bool sent, in MessageHeader header, ReadOnlySpan<byte> payload, int fdCount)
    {
        Metrics.Message(sent, header.MessageSize);
        if (_logger.IsEnabled(LogLevel.Trace))
            Message(sent ? "->" : "<-", MessageText.Describe(header, payload, fdCount));
    }
}
