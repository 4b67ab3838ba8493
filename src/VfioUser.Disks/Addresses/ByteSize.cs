using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace VfioUser.Disks;

/// <summary>Sizes as people write them on a command line: 4096, 512M, 10G, 1T.</summary>
public static class ByteSize
{
    private const string Units = "KMGT";

    /// <summary>Parses a size. Units are powers of 1024; <c>iB</c> may follow one.</summary>
    /// <returns>In bytes; null if it is no size, or too large.</returns>
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

    /// <summary>The shortest exact form, for people.</summary>
    /// <param name="size">In bytes; at least 0.</param>
    public static string Format(long size)
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
