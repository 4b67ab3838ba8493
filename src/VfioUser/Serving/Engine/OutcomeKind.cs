namespace VfioUser;

/// <summary>The kinds of <see cref="CommandOutcome"/>.</summary>
internal enum OutcomeKind : byte
{
    /// <summary>Carried out; the reply is written.</summary>
    Replied,

    /// <summary>To be refused with an error reply.</summary>
    Refused,

    /// <summary>Valid; continues when the device is quiesced.</summary>
    NeedsQuiesce,

    /// <summary>Continues when the memory that it has unmapped is no longer in use.</summary>
    NeedsDrain,

    /// <summary>Kept or dropped: no reply now.</summary>
    Deferred,
}
