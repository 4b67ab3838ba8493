using System.Runtime.CompilerServices;

namespace VfioUser.Protocol;

/// <summary>Why a command is not carried out: the errno for the peer, and a reason for people. Default: nothing is wrong.</summary>
/// <remarks>
/// The reason is formatted only when it is shown, since a peer can provoke many refusals. Immutable. A single reference, null for a
/// valid command, so that those cost nothing.
/// </remarks>
internal readonly struct Refusal
{
    private readonly RefusalDetails? _details;

    /// <param name="errno">For the error reply.</param>
    /// <param name="reason">A format string for the numbers.</param>
    /// <param name="first">{0}</param>
    /// <param name="second">{1}</param>
    /// <param name="third">{2}</param>
    public Refusal(Errno errno, string reason, ulong first = 0, ulong second = 0, ulong third = 0) =>
        _details = new RefusalDetails(errno, reason, first, second, third);

    /// <summary>Restores a refusal from its <see cref="Details"/>.</summary>
    public Refusal(RefusalDetails? details) => _details = details;

    /// <summary>Its content; null if nothing is wrong.</summary>
    public RefusalDetails? Details => _details;

    /// <summary>For the error reply; <see cref="Errno.None"/> if nothing is wrong.</summary>
    public Errno Errno => _details?.Errno ?? Errno.None;

    /// <summary>Whether nothing is wrong.</summary>
    public bool IsNone => _details is null;

    /// <summary>The request is not valid.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)] // keeps the code of valid requests small
    public static Refusal Invalid(string reason, ulong first = 0, ulong second = 0, ulong third = 0) =>
        new(Errno.EINVAL, reason, first, second, third);

    /// <summary>A refusal with a reason that is not a format string.</summary>
    public static Refusal Because(Errno errno, string problem) =>
        new(errno, problem.Replace("{", "{{", StringComparison.Ordinal).Replace("}", "}}", StringComparison.Ordinal));

    /// <summary>The payload is shorter than the structure at its start.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static Refusal TooShort(int length, int needed) =>
        Invalid("the payload has {0} bytes, fewer than the structure of {1}", (ulong)length, (ulong)needed);

    /// <summary>argsz is smaller than the reply, or than the request itself.</summary>
    public static Refusal ArgszTooSmall(uint argsz, ulong needed) => Invalid("argsz {0} is less than {1}", argsz, needed);

    /// <summary>The formatted reason.</summary>
    public override string ToString() => _details?.ToString() ?? "";
}
