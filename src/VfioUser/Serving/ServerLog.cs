using Microsoft.Extensions.Logging;
using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Everything that a server says. Event ids are stable: they are part of the interface.</summary>
internal sealed partial class ServerLog(ILogger logger) : IMessageTrace
{
    private readonly ILogger _logger = logger;

    bool IMessageTrace.IsEnabled => _logger.IsEnabled(LogLevel.Trace);

    [LoggerMessage(1, LogLevel.Information, "Listening on {Address}.")]
    public partial void Listening(string address);

    [LoggerMessage(2, LogLevel.Information, "Client attached: process {ProcessId}, user {UserId}.")]
    public partial void Attached(int processId, uint userId);

    [LoggerMessage(3, LogLevel.Information, "Client detached.")]
    public partial void Detached();

    [LoggerMessage(4, LogLevel.Warning, "Client refused: process {ProcessId}, user {UserId} may not attach.")]
    public partial void PeerRefused(int processId, uint userId);

    [LoggerMessage(5, LogLevel.Warning, "Negotiation failed with {Errno}: {Problem}.")]
    public partial void NegotiationFailed(Errno errno, string problem);

    [LoggerMessage(6, LogLevel.Information, "Negotiated version {Major}.{Minor}, twin socket: {TwinSocket}.")]
    public partial void Negotiated(ushort major, ushort minor, bool twinSocket);

    [LoggerMessage(7, LogLevel.Warning, "The session ends: {Problem}")]
    public partial void SessionBroken(string problem);

    [LoggerMessage(8, LogLevel.Error, "The session ends because of a failure of this side.")]
    public partial void SessionFailed(Exception exception);

    [LoggerMessage(9, LogLevel.Error, "The device threw while it handled {Command}.")]
    public partial void DeviceThrew(Command command, Exception exception);

    [LoggerMessage(10, LogLevel.Debug, "{Command} (message {MessageId}, {Size} bytes) refused with {Errno}.")]
    public partial void Refused(Command command, ushort messageId, uint size, Errno errno);

    [LoggerMessage(11, LogLevel.Debug, "DMA region {Address} of {Length} bytes mapped, reached by {Way}.")]
    public partial void Mapped(Iova address, ulong length, DmaWay way);

    [LoggerMessage(12, LogLevel.Warning, "The unmap of DMA region {Address} of {Length} bytes still waits for the device to let go.")]
    public partial void UnmapWaits(Iova address, ulong length);

    [LoggerMessage(13, LogLevel.Warning, "The server stops while the device holds DMA region {Address} of {Length} bytes.")]
    public partial void UnmapAbandoned(Iova address, ulong length);

    [LoggerMessage(14, LogLevel.Trace, "{Direction} {Message}")]
    public partial void Message(string direction, string message);

    [LoggerMessage(15, LogLevel.Error, "The hook for exceptions of the device threw.")]
    public partial void HookThrew(Exception exception);

    [LoggerMessage(40, LogLevel.Information, "Migration state {From} -> {To}.")]
    public partial void MigrationStateChanged(MigrationState from, MigrationState to);

    [LoggerMessage(41, LogLevel.Warning, "Migration from {From} to {To} failed; the device is in {Now}.")]
    public partial void MigrationStateFailed(MigrationState from, MigrationState to, MigrationState now);

    [LoggerMessage(42, LogLevel.Warning, "The migration data is refused: {Problem}.")]
    public partial void MigrationDataRefused(string problem);

    [LoggerMessage(43, LogLevel.Information, "Logging of written pages begins: {PageSize} bytes a page, {Bytes} bytes of bitmaps.")]
    public partial void DirtyPagesStarted(ulong pageSize, long bytes);

    [LoggerMessage(44, LogLevel.Warning, "Bitmaps for logging written pages of {Bytes} bytes are refused: the limit is {Limit}.")]
    public partial void DirtyPagesTooLarge(long bytes, long limit);

    [LoggerMessage(60, LogLevel.Warning, "The device was asked to come to rest ({Reason}) and has not answered yet.")]
    public partial void QuiesceWaits(QuiesceReason reason);

    [LoggerMessage(61, LogLevel.Warning, "The server stops, and the device has not answered whether it is at rest ({Reason}).")]
    public partial void QuiesceAbandoned(QuiesceReason reason);

    [LoggerMessage(62, LogLevel.Warning, "The client has gone and the device did not come to rest: memory is unmapped all the same.")]
    public partial void QuiesceFailed();

    [LoggerMessage(16, LogLevel.Warning, "No client can be let in for now: {Problem}")]
    public partial void CannotAccept(string problem);

    void IMessageTrace.Message(bool sent, in MessageHeader header, ReadOnlySpan<byte> payload, int fdCount) =>
        Message(sent ? "->" : "<-", MessageText.Describe(header, payload, fdCount));
}
