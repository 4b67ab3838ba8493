using Microsoft.Extensions.Logging;

namespace VfioUser.Virtio;

internal static partial class Log
{
    [LoggerMessage(200, LogLevel.Warning, "The driver has broken the queue {Queue}, which is stopped until the device is reset: {Fault}.")]
    public static partial void RingFailed(ILogger logger, string queue, string fault);

    [LoggerMessage(201, LogLevel.Error, "The handler of the queue {Queue} has thrown an exception. The device asks to be reset.")]
    public static partial void HandlerFailed(ILogger logger, string queue);

    [LoggerMessage(202, LogLevel.Warning, "The driver does not keep to the specification: {Reason}.")]
    public static partial void DriverFailed(ILogger logger, string reason);

    [LoggerMessage(203, LogLevel.Warning, "No program of the host can be accepted on {Path}, which is tried again: {Reason}.")]
    public static partial void HostSocketFailed(ILogger logger, string path, string reason);

    [LoggerMessage(204, LogLevel.Information, "The queue {Queue} waits until its memory can be reached again: {Reason}.")]
    public static partial void RingPaused(ILogger logger, string queue, string reason);

    [LoggerMessage(210, LogLevel.Error, "The disk {Disk} has lost writes: {Reason} All later flushes fail.")]
    public static partial void FlushFailed(ILogger logger, string disk, string reason);

    [LoggerMessage(211, LogLevel.Warning, "A request to the disk {Disk} has failed, the {Count}. since the start: {Reason}")]
    public static partial void DiskFailed(ILogger logger, string disk, long count, string reason);

    [LoggerMessage(212, LogLevel.Error, "A request to the disk {Disk} has failed, the {Count}. since the start, by a mistake in the disk's code.")]
    public static partial void DiskThrew(ILogger logger, string disk, long count, Exception exception);

    [LoggerMessage(213, LogLevel.Error, "The disk {Disk} cannot be taken over from the process that has it: {Reason}")]
    public static partial void DiskInUse(ILogger logger, string disk, string reason);
}
