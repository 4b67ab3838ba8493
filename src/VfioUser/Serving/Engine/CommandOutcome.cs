using System.Runtime.InteropServices;
using VfioUser.Protocol;

namespace VfioUser;

/// <summary>The outcome of a step of a command: replied, refused, or what it has to wait for. Immutable.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly struct CommandOutcome
{
    // RefusalDetails or DmaDrain; with it the struct has 16 bytes, which are returned in registers
    private readonly object? _detail;
    private readonly byte _reason;

    private CommandOutcome(OutcomeKind kind, object? detail = null, QuiesceReason reason = default, int position = 0)
    {
        Kind = kind;
        _reason = (byte)reason;
        Position = position;
        _detail = detail;
    }

    /// <summary>It was carried out, and its reply is written unless it requested none.</summary>
    public static CommandOutcome Replied => default;

    /// <summary>It is kept until its wait is over, or dropped since the client has disconnected.</summary>
    public static CommandOutcome Deferred => new(OutcomeKind.Deferred);

    public OutcomeKind Kind { get; }

    /// <summary>The refusal of a refused command.</summary>
    public Refusal Refusal => new(_detail as RefusalDetails);

    /// <summary>Why the command requires a quiesced device.</summary>
    public QuiesceReason Reason => (QuiesceReason)_reason;

    /// <summary>Offset in the payload where the command continues when the device is quiesced.</summary>
    public int Position { get; }

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
