using System.Globalization;

namespace VfioUser.Protocol;

/// <summary>Why a command is not carried out: the errno for the peer, and a reason for people. Default: nothing is wrong.</summary>
/// <remarks>The reason is put into words only where it is shown, since a peer can have many commands refused. Immutable.</remarks>
/// <param name="errno">What the peer is answered.</param>
/// <param name="reason">In a few words, with places for the numbers.</param>
/// <param name="first">{0}</param>
/// <param name="second">{1}</param>
/// <param name="third">{2}</param>
internal readonly struct Refusal(Errno errno, string reason, ulong first = 0, ulong second = 0, ulong third = 0)
{
    private readonly string? _reason = reason;
    private readonly ulong _first = first;
    private readonly ulong _second = second;
    private readonly ulong _third = third;

    /// <summary>What the peer is answered; <see cref="Errno.None"/> when nothing is wrong.</summary>
    public Errno Errno { get; } = errno;

    /// <summary>Whether nothing is wrong.</summary>
    public bool IsNone => Errno == Errno.None;

    /// <summary>The request is not valid.</summary>
    public static Refusal Invalid(string reason, ulong first = 0, ulong second = 0, ulong third = 0) =>
        new(Errno.EINVAL, reason, first, second, third);

    /// <summary>With a reason that is in words already.</summary>
    public static Refusal Because(Errno errno, string problem) =>
        new(errno, problem.Replace("{", "{{", StringComparison.Ordinal).Replace("}", "}}", StringComparison.Ordinal));

    /// <summary>The payload is shorter than what it has to begin with.</summary>
    public static Refusal TooShort(int length, int needed) =>
        Invalid("the payload has {0} bytes, and begins with a structure of {1}", (ulong)length, (ulong)needed);

    /// <summary>argsz leaves no room for the reply, or for the request itself.</summary>
    public static Refusal ArgszTooSmall(uint argsz, ulong needed) => Invalid("argsz {0} is less than {1}", argsz, needed);

    /// <summary>The reason, in words.</summary>
    public override string ToString() =>
        _reason is null ? "" : string.Format(CultureInfo.InvariantCulture, _reason, _first, _second, _third);
}
