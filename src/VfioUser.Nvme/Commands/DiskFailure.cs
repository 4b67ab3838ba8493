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
        DiskException { Error: DiskError.NoSpace } => Status.CapacityExceeded,
        DiskException { Error: DiskError.WriteProtected } => Status.NamespaceWriteProtected,
        DiskException { Error: DiskError.Integrity } => Status.GuardCheckError,
        DiskException { Error: DiskError.NotReady } => Status.NamespaceNotReady,
        IOException { HResult: NoSpace or QuotaExceeded } => Status.CapacityExceeded,
        OutOfMemoryException when writes => Status.CapacityExceeded, // a disk in memory grows when it is written
        OperationCanceledException => Status.AbortRequested,
        IOException or UnauthorizedAccessException => writes ? Status.WriteFault : Status.UnrecoveredReadError,
        _ => Status.InternalError,
    };

    /// <summary>Whether SMART counts it: the disk has lost data, or cannot take any.</summary>
    public static bool IsMediaError(Status status) => status is Status.WriteFault or Status.FlushFailed or Status.UnrecoveredReadError
        or Status.GuardCheckError;
}
