using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace VfioUser.Tool.CommandLine;

/// <summary>Numbers on the command line: decimal, or hexadecimal with 0x.</summary>
internal static class Numbers
{
    public static Argument<ulong> Argument(string name, string description) => new(name) { Description = description, CustomParser = Parse };

    public static Argument<ulong?> OptionalArgument(string name, string description) =>
        new(name) { Description = description, Arity = ArgumentArity.ZeroOrOne, CustomParser = result => Parse(result) };

    public static Option<ulong?> Option(string name, string description) =>
        new(name) { Description = description, CustomParser = result => Parse(result) };

    public static bool TryParse(string text, out ulong value) => text.StartsWith("0x", StringComparison.OrdinalIgnoreCase)
        ? ulong.TryParse(text.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value)
        : ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value);

    private static ulong Parse(ArgumentResult result)
    {
        string text = result.Tokens.Count == 0 ? "" : result.Tokens[0].Value;
        if (!TryParse(text, out ulong value))
            result.AddError($"'{text}' is no number; write 4096 or 0x1000.");
        return value;
    }
}
