namespace VfioUser;

/// <summary>Correctable errors of a PCI Express device.</summary>
/// <remarks>Immutable. The bits of the Correctable Error Status and Mask registers. PCI Express 6.0 7.8.4.5.</remarks>
[Flags]
public enum AerCorrectableErrors : uint
{
    /// <summary>No error.</summary>
    None = 0,

    /// <summary>Receiver Error.</summary>
    Receiver = 1u << 0,

    /// <summary>Bad TLP.</summary>
    BadTlp = 1u << 6,

    /// <summary>Bad DLLP.</summary>
    BadDllp = 1u << 7,

    /// <summary>REPLAY_NUM Rollover.</summary>
    ReplayRollover = 1u << 8,

    /// <summary>Replay Timer Timeout.</summary>
    ReplayTimerTimeout = 1u << 12,

    /// <summary>Advisory Non-Fatal Error: an uncorrectable one that another component handles. Masked after a reset.</summary>
    AdvisoryNonFatal = 1u << 13,

    /// <summary>Corrected Internal Error. Masked after a reset.</summary>
    Internal = 1u << 14,

    /// <summary>Header Log Overflow. Masked after a reset.</summary>
    HeaderLogOverflow = 1u << 15,
}
