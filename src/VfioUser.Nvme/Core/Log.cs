using Microsoft.Extensions.Logging;

namespace VfioUser.Nvme;

internal static partial class Log
{
    [LoggerMessage(220, LogLevel.Warning, "The controller has failed, until the guest resets it: {Reason}.")]
    public static partial void ControllerFailed(ILogger logger, string reason);

    [LoggerMessage(221, LogLevel.Error, "Namespace {Namespace} has lost writes: {Reason}. All later flushes fail.")]
    public static partial void FlushFailed(ILogger logger, uint @namespace, string reason);

    [LoggerMessage(222, LogLevel.Error, "Namespace {Namespace} was not flushed at shutdown: {Reason}")]
    public static partial void ShutdownFlushFailed(ILogger logger, uint @namespace, string reason);

    [LoggerMessage(223, LogLevel.Warning, "{Command} has failed: {Reason}")]
    public static partial void AdminCommandFailed(ILogger logger, string command, string reason);

    [LoggerMessage(224, LogLevel.Error, "A command has failed, the {Count}. since the start, by a mistake in the code of the disk or of the controller.")]
    public static partial void CommandThrew(ILogger logger, long count, Exception exception);

    [LoggerMessage(225, LogLevel.Error, "A command of reservations has failed, since its outcome cannot be kept: {Reason}")]
    public static partial void ReservationsNotKept(ILogger logger, string reason);
}
