namespace VfioUser.Nvme;

/// <summary>Which status tells the driver of an exception.</summary>
internal static class DiskFailure
{
    // errno of ENOSPC and EDQUOT, which is what an IOException has for a result
    private const int NoSpace = 28;
    private const int QuotaExceeded = 122;

    /// <param name="exception">Thrown by a disk.</param>
    /// <param name="writes">Whether the command writes.</param>
    /// <returns>Internal Error for an exception that no disk should throw.</returns>
    public static Status StatusOf(Exception exception, bool writes) => exception switch
    {
        FlushFailedException => Status.FlushFailed,
        IOException { HResult: NoSpace or QuotaExceeded } => Status.CapacityExceeded,
        OutOfMemoryException when writes => Status.CapacityExceeded, // a disk in memory grows when it is written
        IOException or UnauthorizedAccessException => writes ? Status.WriteFault : Status.UnrecoveredReadError,
        _ => Status.InternalError,
    };
}
