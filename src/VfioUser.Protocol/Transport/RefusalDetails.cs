using System.Globalization;

namespace VfioUser.Protocol;

/// <summary>What a <see cref="Refusal"/> says. Immutable.</summary>
internal sealed class RefusalDetails(Errno errno, string reason, ulong first, ulong second, ulong third)
{
    public Errno Errno => errno;

    /// <summary>The reason, in words.</summary>
    public override string ToString() => string.Format(CultureInfo.InvariantCulture, reason, first, second, third);
}
