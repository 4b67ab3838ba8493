namespace VfioUser;

/// <summary>Uncorrectable errors of a PCI Express device.</summary>
/// <remarks>Immutable. The bits of the Uncorrectable Error Status, Mask and Severity registers. PCI Express 6.0 7.8.4.2.</remarks>
[Flags]
public enum AerUncorrectableErrors : uint
{
    /// <summary>No error.</summary>
    None = 0,

    /// <summary>Data Link Protocol Error.</summary>
    DataLinkProtocol = 1u << 4,

    /// <summary>Surprise Down Error; of downstream ports.</summary>
    SurpriseDown = 1u << 5,

    /// <summary>Poisoned TLP Received: its data is known to be wrong.</summary>
    PoisonedTlp = 1u << 12,

    /// <summary>Flow Control Protocol Error.</summary>
    FlowControlProtocol = 1u << 13,

    /// <summary>Completion Timeout: a read of the device was not answered.</summary>
    CompletionTimeout = 1u << 14,

    /// <summary>Completer Abort: the device cannot answer a request that it supports.</summary>
    CompleterAbort = 1u << 15,

    /// <summary>Unexpected Completion.</summary>
    UnexpectedCompletion = 1u << 16,

    /// <summary>Receiver Overflow.</summary>
    ReceiverOverflow = 1u << 17,

    /// <summary>Malformed TLP.</summary>
    MalformedTlp = 1u << 18,

    /// <summary>ECRC Error: the end-to-end checksum is wrong.</summary>
    Ecrc = 1u << 19,

    /// <summary>Unsupported Request Error.</summary>
    UnsupportedRequest = 1u << 20,

    /// <summary>ACS Violation.</summary>
    AcsViolation = 1u << 21,

    /// <summary>Uncorrectable Internal Error.</summary>
    Internal = 1u << 22,

    /// <summary>MC Blocked TLP.</summary>
    MulticastBlocked = 1u << 23,

    /// <summary>AtomicOp Egress Blocked.</summary>
    AtomicOpEgressBlocked = 1u << 24,

    /// <summary>TLP Prefix Blocked Error.</summary>
    TlpPrefixBlocked = 1u << 25,

    /// <summary>Poisoned TLP Egress Blocked.</summary>
    PoisonedTlpEgressBlocked = 1u << 26,
}
