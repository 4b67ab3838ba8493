using System.Globalization;
using System.Numerics;
using Microsoft.Extensions.Configuration;

namespace VfioUser.Hosting;

/// <summary>Parses values of a configuration without reflection, with clear messages for invalid ones.</summary>
internal static class ConfigurationValues
{
    private const int AllModes = 0x1FF; // 0777

    public static TEnum Read<TEnum>(this IConfiguration section, string key, TEnum otherwise)
        where TEnum : struct, Enum
    {
        if (section[key] is not { } text)
            return otherwise;
        return Enum.TryParse(text, ignoreCase: true, out TEnum value) && Enum.IsDefined(value)
            ? value
            : throw Bad(section, key, text, string.Join(", ", Enum.GetNames<TEnum>()));
    }

    public static bool Read(this IConfiguration section, string key, bool otherwise)
    {
        if (section[key] is not { } text)
            return otherwise;
        return bool.TryParse(text, out bool value) ? value : throw Bad(section, key, text, "true, false");
    }

    public static TimeSpan Read(this IConfiguration section, string key, TimeSpan otherwise)
    {
        if (section[key] is not { } text)
            return otherwise;
        // a bare number would be days
        return text.Contains(':', StringComparison.Ordinal) && TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out TimeSpan value) && value >= TimeSpan.Zero
            ? value
            : throw Bad(section, key, text, "a time such as 00:00:05 or 00:00:00.0001");
    }

    public static T ReadNumber<T>(this IConfiguration section, string key, T otherwise)
        where T : struct, IBinaryInteger<T>
    {
        if (section[key] is not { } text)
            return otherwise;
        return T.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out T value) ? value : throw Bad(section, key, text, "a number from 0");
    }

    public static string? ReadAddress(this IConfiguration section, string key, string? otherwise) =>
        section[key] is not "" ? section[key] ?? otherwise : throw Bad(section, key, "", "a path, or @name for an abstract socket");

    public static UnixFileMode ReadMode(this IConfiguration section, string key, UnixFileMode otherwise)
    {
        if (section[key] is not { } text)
            return otherwise;
        int mode = 0;
        foreach (char digit in text)
        {
            mode = digit is >= '0' and <= '7' ? (mode * 8) + digit - '0' : AllModes + 1;
            if (mode > AllModes)
                break;
        }
        return text.Length > 0 && mode <= AllModes ? (UnixFileMode)mode : throw Bad(section, key, text, "an octal mode such as 0660");
    }

    private static InvalidOperationException Bad(IConfiguration section, string key, string text, string expected) =>
        new($"{section.GetSection(key).Path} is '{text}'; it can be: {expected}.");
}
