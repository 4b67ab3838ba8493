using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Nvme.Cli;

/// <summary>Sizes on the command line: 4096, 512M, 10G, 1T.</summary>
internal static class ByteSize
{
    private const string Units = "KMGT";

    /// <returns>Null if it is no size, or too large.</returns>
    public static long? TryParse([NotNullWhen(true)] string? text)
    {
        if (string.IsNullOrEmpty(text))
            return null;
        string digits = text.EndsWith("iB", StringComparison.OrdinalIgnoreCase) ? text[..^2] : text;
        int unit = digits.Length == 0 ? -1 : Units.IndexOf(char.ToUpperInvariant(digits[^1]), StringComparison.Ordinal);
        if (unit >= 0)
            digits = digits[..^1];
        if (!long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out long value))
            return null;
        int shift = 10 * (unit + 1);
        return value > long.MaxValue >> shift ? null : value << shift;
    }

    /// <summary>The shortest exact form.</summary>
    public static string Text(long size)
    {
        int unit = 0;
        while (size >= 1024 && size % 1024 == 0 && unit < Units.Length)
        {
            size /= 1024;
            unit++;
        }
        return unit == 0 ? string.Create(CultureInfo.InvariantCulture, $"{size} bytes") : string.Create(CultureInfo.InvariantCulture, $"{size} {Units[unit - 1]}iB");
    }
}
