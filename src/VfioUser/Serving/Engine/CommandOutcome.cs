using VfioUser.Protocol;

namespace VfioUser;

/// <summary>What became of a command: it was replied to, refused, or cannot go on yet. Immutable.</summary>
internal readonly struct CommandOutcome
{
    private CommandOutcome(OutcomeKind kind, Refusal refusal = default, QuiesceReason reason = default, int position = 0, DmaDrain? drain = null)
    {
        Kind = kind;
        Refusal = refusal;
        Reason = reason;
        Position = position;
        Drain = drain;
    }

    /// <summary>It was carried out, and its reply is written if it wants one.</summary>
    public static CommandOutcome Replied => default;

    /// <summary>It is kept until what it waits for has happened, or dropped since its client has gone.</summary>
    public static CommandOutcome Deferred => new(OutcomeKind.Deferred);

    public OutcomeKind Kind { get; }

    /// <summary>Of a command that was refused.</summary>
    public Refusal Refusal { get; }

    /// <summary>What a command quiesces the device for.</summary>
    public QuiesceReason Reason { get; }

    /// <summary>Where in its payload a command goes on when the device is quiesced.</summary>
    public int Position { get; }

    /// <summary>What a command has unmapped and waits for.</summary>
    public DmaDrain? Drain { get; }

    /// <summary>It is valid, and goes on with <see cref="CommandHandler.Apply"/> on a quiesced device.</summary>
    public static CommandOutcome NeedsQuiesce(QuiesceReason reason, int position = 0) =>
        new(OutcomeKind.NeedsQuiesce, reason: reason, position: position);

    /// <summary>It goes on with <see cref="CommandHandler.Finish"/> when nobody uses the memory any more.</summary>
    public static CommandOutcome NeedsDrain(DmaDrain drain) => new(OutcomeKind.NeedsDrain, drain: drain);

    /// <summary>It is answered with an error.</summary>
    public static implicit operator CommandOutcome(in Refusal refusal) => new(OutcomeKind.Refused, refusal);
}
