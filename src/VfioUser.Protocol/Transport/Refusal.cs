using System.Runtime.CompilerServices;

namespace VfioUser.Protocol;

/// <summary>Why a command is not carried out: the errno for the peer, and a reason for people. Default: nothing is wrong.</summary>
/// <remarks>
/// The reason is put into words only where it is shown, since a peer can have many commands refused. Immutable. A reference and
/// no more, so that a command with nothing wrong costs nothing: what is in it is made when something is.
/// </remarks>
internal readonly struct Refusal
{
    private readonly RefusalDetails? _details;

    /// <param name="errno">What the peer is answered.</param>
    /// <param name="reason">In a few words, with places for the numbers.</param>
    /// <param name="first">{0}</param>
    /// <param name="second">{1}</param>
    /// <param name="third">{2}</param>
    public Refusal(Errno errno, string reason, ulong first = 0, ulong second = 0, ulong third = 0) =>
        _details = new RefusalDetails(errno, reason, first, second, third);

    /// <summary>That of <see cref="Details"/>.</summary>
    public Refusal(RefusalDetails? details) => _details = details;

    /// <summary>What there is to keep of it; null when nothing is wrong.</summary>
    public RefusalDetails? Details => _details;

    /// <summary>What the peer is answered; <see cref="Errno.None"/> when nothing is wrong.</summary>
    public Errno Errno => _details?.Errno ?? Errno.None;

    /// <summary>Whether nothing is wrong.</summary>
    public bool IsNone => _details is null;

    /// <summary>The request is not valid.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)] // nor is a valid one to carry its code
    public static Refusal Invalid(string reason, ulong first = 0, ulong second = 0, ulong third = 0) =>
        new(Errno.EINVAL, reason, first, second, third);

    /// <summary>With a reason that is in words already.</summary>
    public static Refusal Because(Errno errno, string problem) =>
        new(errno, problem.Replace("{", "{{", StringComparison.Ordinal).Replace("}", "}}", StringComparison.Ordinal));

    /// <summary>The payload is shorter than what it has to begin with.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static Refusal TooShort(int length, int needed) =>
        Invalid("the payload has {0} bytes, and begins with a structure of {1}", (ulong)length, (ulong)needed);

    /// <summary>argsz leaves no room for the reply, or for the request itself.</summary>
    public static Refusal ArgszTooSmall(uint argsz, ulong needed) => Invalid("argsz {0} is less than {1}", argsz, needed);

    /// <summary>The reason, in words.</summary>
    public override string ToString() => _details?.ToString() ?? "";
}
