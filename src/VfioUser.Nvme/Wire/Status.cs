namespace VfioUser.Nvme;

/// <summary>How a command ended: status code in bits 7:0, status code type in bits 10:8; Do Not Retry in bit 14 where the code does
/// not tell. NVMe 1.4 4.6.1.</summary>
internal enum Status : ushort
{
    Success = 0x000,
    InvalidOpcode = 0x001,
    InvalidField = 0x002,
    DataTransferError = 0x004,
    InternalError = 0x006,
    AbortRequested = 0x007,
    FailedFused = 0x009,
    MissingFused = 0x00A,
    InvalidNamespace = 0x00B,
    CommandSequenceError = 0x00C,
    InvalidSglSegment = 0x00D,
    InvalidSglCount = 0x00E,
    DataSglLengthInvalid = 0x00F,
    SglTypeInvalid = 0x011,
    InvalidPrpOffset = 0x013,
    KeepAliveTimeoutExpired = 0x014,
    OperationDenied = 0x015,
    HostIdInconsistentFormat = 0x018,
    AbortedByPreempt = 0x01B,
    NamespaceWriteProtected = 0x020,
    HostIdNotInitialized = 0x027,
    LbaOutOfRange = 0x080,
    CapacityExceeded = 0x081,
    NamespaceNotReady = 0x082,
    ReservationConflict = 0x083,
    FormatInProgress = 0x084,

    CompletionQueueInvalid = 0x100,
    InvalidQueueId = 0x101,
    InvalidQueueSize = 0x102,
    AbortLimitExceeded = 0x103,
    AsyncEventLimitExceeded = 0x105,
    InvalidInterruptVector = 0x108,
    InvalidLogPage = 0x109,
    InvalidFormat = 0x10A,
    InvalidQueueDeletion = 0x10C,
    FeatureNotSaveable = 0x10D,
    FeatureNotChangeable = 0x10E,
    NamespaceInsufficientCapacity = 0x115,
    NamespaceAlreadyAttached = 0x118,
    NamespaceNotAttached = 0x11A,
    ControllerListInvalid = 0x11C,
    SelfTestInProgress = 0x11D,

    CommandSizeLimitExceeded = 0x183,

    WriteFault = 0x280,

    AnaPersistentLoss = 0x301,
    AnaInaccessible = 0x302,
    AnaTransition = 0x303,

    /// <summary>Write Fault with Do Not Retry: a flush has failed, and would only seem to succeed another time.</summary>
    FlushFailed = 0x4280,
    UnrecoveredReadError = 0x281,
    GuardCheckError = 0x282,
    CompareFailure = 0x285,
}

/// <summary>The status field around the codes.</summary>
internal static class StatusFields
{
    public const ushort DoNotRetry = 1 << 14;

    /// <summary>Bits 15:1 of dword 3, shifted down: with Do Not Retry where the same command would fail again.</summary>
    public static ushort Field(this Status status) => (ushort)((ushort)status | (MayRetry(status) ? 0 : DoNotRetry));

    private static bool MayRetry(Status status) => status is Status.Success or Status.DataTransferError or Status.InternalError
        or Status.AbortRequested or Status.FormatInProgress or Status.NamespaceNotReady or Status.WriteFault or Status.UnrecoveredReadError
        or Status.FailedFused or Status.AnaPersistentLoss or Status.AnaInaccessible or Status.AnaTransition or Status.SelfTestInProgress or Status.AbortLimitExceeded or Status.AsyncEventLimitExceeded;
}
