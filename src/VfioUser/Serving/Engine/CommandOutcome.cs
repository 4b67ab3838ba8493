using VfioUser.Protocol;

namespace VfioUser;

/// <summary>The outcome of a step of a command: replied, refused, or what it has to wait for. Immutable.</summary>
internal readonly struct CommandOutcome
{
    // two fields of 8 bytes are returned in two registers: with smaller ones the struct goes by way of the stack
    private readonly object? _detail; // RefusalDetails or DmaDrain
    private readonly ulong _packed; // from bit 0 the kind, from 8 the reason, from 32 the position

    private CommandOutcome(OutcomeKind kind, object? detail = null, QuiesceReason reason = default, int position = 0)
    {
        _detail = detail;
        _packed = (byte)kind | (ulong)(byte)reason << 8 | (ulong)(uint)position << 32;
    }

    /// <summary>It was carried out, and its reply is written unless it requested none.</summary>
    public static CommandOutcome Replied => default;

    /// <summary>It is kept until its wait is over, or dropped since the client has disconnected.</summary>
    public static CommandOutcome Deferred => new(OutcomeKind.Deferred);

    public OutcomeKind Kind => (OutcomeKind)(byte)_packed;

    /// <summary>The refusal of a refused command.</summary>
    public Refusal Refusal => new(_detail as RefusalDetails);

    /// <summary>Why the command requires a quiesced device.</summary>
    public QuiesceReason Reason => (QuiesceReason)(byte)(_packed >> 8);

    /// <summary>Offset in the payload where the command continues when the device is quiesced.</summary>
    public int Position => (int)(_packed >> 32);

    /// <summary>The drain of regions that the command has unmapped.</summary>
    public DmaDrain? Drain => _detail as DmaDrain;

    /// <summary>It is valid, and continues with <see cref="CommandHandler.Apply"/> on a quiesced device.</summary>
    public static CommandOutcome NeedsQuiesce(QuiesceReason reason, int position = 0) =>
        new(OutcomeKind.NeedsQuiesce, reason: reason, position: position);

    /// <summary>It continues with <see cref="CommandHandler.Finish"/> when the unmapped memory is no longer in use.</summary>
    public static CommandOutcome NeedsDrain(DmaDrain drain) => new(OutcomeKind.NeedsDrain, drain);

    /// <summary>It is refused with an error reply.</summary>
    public static implicit operator CommandOutcome(in Refusal refusal) => new(OutcomeKind.Refused, refusal.Details);
}
