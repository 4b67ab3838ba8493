namespace VfioUser;

/// <summary>Options for advanced error reporting. Immutable.</summary>
public sealed record AerOptions
{
    /// <summary>The uncorrectable errors that the device can detect; the bits of others are zero. By default all those of an
    /// endpoint.</summary>
    public AerUncorrectableErrors Uncorrectable { get; init; } =
        AerUncorrectableErrors.DataLinkProtocol | AerUncorrectableErrors.PoisonedTlp | AerUncorrectableErrors.FlowControlProtocol |
        AerUncorrectableErrors.CompletionTimeout | AerUncorrectableErrors.CompleterAbort | AerUncorrectableErrors.UnexpectedCompletion |
        AerUncorrectableErrors.ReceiverOverflow | AerUncorrectableErrors.MalformedTlp | AerUncorrectableErrors.Ecrc |
        AerUncorrectableErrors.UnsupportedRequest | AerUncorrectableErrors.Internal;

    /// <summary>The correctable errors that the device can detect. By default all, Header Log Overflow excepted.</summary>
    public AerCorrectableErrors Correctable { get; init; } =
        AerCorrectableErrors.Receiver | AerCorrectableErrors.BadTlp | AerCorrectableErrors.BadDllp | AerCorrectableErrors.ReplayRollover |
        AerCorrectableErrors.ReplayTimerTimeout | AerCorrectableErrors.AdvisoryNonFatal | AerCorrectableErrors.Internal;

    /// <summary>Whether the guest can enable the generation and the check of end-to-end checksums. They have no meaning over
    /// vfio-user.</summary>
    public bool Ecrc { get; init; }
}
