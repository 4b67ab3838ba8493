namespace VfioUser;

/// <summary>Messages by which a PCI Express device reports an error to the root complex.</summary>
/// <remarks>Immutable. PCI Express 6.0 2.2.8.3.</remarks>
public enum AerMessage
{
    /// <summary>None: the error is masked, or the guest has not enabled its report.</summary>
    None,

    /// <summary>ERR_COR.</summary>
    Correctable,

    /// <summary>ERR_NONFATAL.</summary>
    NonFatal,

    /// <summary>ERR_FATAL.</summary>
    Fatal,
}
