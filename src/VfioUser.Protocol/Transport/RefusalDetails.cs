using System.Globalization;

namespace VfioUser.Protocol;

/// <summary>The content of a <see cref="Refusal"/>. Immutable.</summary>
internal sealed class RefusalDetails(Errno errno, string reason, ulong first, ulong second, ulong third)
{
    public Errno Errno => errno;

    /// <summary>The formatted reason.</summary>
    public override string ToString() => string.Format(CultureInfo.InvariantCulture, reason, first, second, third);
}
