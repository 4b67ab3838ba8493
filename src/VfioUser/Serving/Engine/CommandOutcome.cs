using System.Runtime.InteropServices;
using VfioUser.Protocol;

namespace VfioUser;

/// <summary>What became of a command: it was replied to, refused, or cannot go on yet. Immutable.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly struct CommandOutcome
{
    // of a refusal, or what is drained; the struct has 16 bytes, which are returned in registers
    private readonly object? _detail;
    private readonly byte _reason;

    private CommandOutcome(OutcomeKind kind, object? detail = null, QuiesceReason reason = default, int position = 0)
    {
        Kind = kind;
        _reason = (byte)reason;
        Position = position;
        _detail = detail;
    }

    /// <summary>It was carried out, and its reply is written if it wants one.</summary>
    public static CommandOutcome Replied => default;

    /// <summary>It is kept until what it waits for has happened, or dropped since its client has gone.</summary>
    public static CommandOutcome Deferred => new(OutcomeKind.Deferred);

    public OutcomeKind Kind { get; }

    /// <summary>Of a command that was refused.</summary>
    public Refusal Refusal => new(_detail as RefusalDetails);

    /// <summary>What a command quiesces the device for.</summary>
    public QuiesceReason Reason => (QuiesceReason)_reason;

    /// <summary>Where in its payload a command goes on when the device is quiesced.</summary>
    public int Position { get; }

    /// <summary>What a command has unmapped and waits for.</summary>
    public DmaDrain? Drain => _detail as DmaDrain;

    /// <summary>It is valid, and goes on with <see cref="CommandHandler.Apply"/> on a quiesced device.</summary>
    public static CommandOutcome NeedsQuiesce(QuiesceReason reason, int position = 0) =>
        new(OutcomeKind.NeedsQuiesce, reason: reason, position: position);

    /// <summary>It goes on with <see cref="CommandHandler.Finish"/> when nobody uses the memory any more.</summary>
    public static CommandOutcome NeedsDrain(DmaDrain drain) => new(OutcomeKind.NeedsDrain, drain);

    /// <summary>It is answered with an error.</summary>
    public static implicit operator CommandOutcome(in Refusal refusal) => new(OutcomeKind.Refused, refusal.Details);
}
