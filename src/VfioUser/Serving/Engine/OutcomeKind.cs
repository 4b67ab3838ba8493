namespace VfioUser;

/// <summary>The kinds of <see cref="CommandOutcome"/>.</summary>
internal enum OutcomeKind : byte
{
    /// <summary>Carried out; its reply is written.</summary>
    Replied,

    /// <summary>To be answered with an error.</summary>
    Refused,

    /// <summary>Valid; goes on when the device is quiesced.</summary>
    NeedsQuiesce,

    /// <summary>Goes on when memory that it has unmapped is not used any more.</summary>
    NeedsDrain,

    /// <summary>Kept or dropped: not to be answered now.</summary>
    Deferred,
}
