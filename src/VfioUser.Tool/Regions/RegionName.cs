using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using VfioUser.Tool.CommandLine;

namespace VfioUser.Tool.Regions;

/// <summary>Names of a PCI device's regions. Source: <c>linux/vfio.h</c>, VFIO_PCI_*_REGION_INDEX.</summary>
internal static class RegionName
{
    public const uint Config = 7;

    public const string Forms = "bar0 to bar5, rom, config, vga, or an index";

    private static readonly string[] Names = ["bar0", "bar1", "bar2", "bar3", "bar4", "bar5", "rom", "config", "vga"];

    /// <summary>An argument that is a region or a register: <see cref="IsRegister"/>.</summary>
    public static Argument<string> OrRegister() => new("REGION") { Description = $"{Forms}; or a register or field by name, such as CTRL or CTRL.EN" };

    public static Option<uint?> Option(string description) => new("--region") { Description = description, CustomParser = result => Parse(result) };

    public static string Of(uint index) => index < (uint)Names.Length ? Names[index] : string.Create(CultureInfo.InvariantCulture, $"region {index}");

    public static bool TryParse(string text, out uint region)
    {
        int named = Array.FindIndex(Names, name => name.Equals(text, StringComparison.OrdinalIgnoreCase));
        region = named >= 0 ? (uint)named : 0;
        if (named >= 0)
            return true;
        if (!Numbers.TryParse(text, out ulong index) || index > uint.MaxValue)
            return false;
        region = (uint)index;
        return true;
    }

    /// <summary>Whether an argument is the name of a register, not a region.</summary>
    /// <param name="text">The argument.</param>
    /// <param name="hasOffset">Whether an offset follows: then it must be a region.</param>
    /// <param name="region">The region.</param>
    /// <exception cref="UsageException">It must be a region, and is none.</exception>
    public static bool IsRegister(string text, bool hasOffset, out uint region)
    {
        if (TryParse(text, out region))
            return false;
        return !hasOffset && text.Length > 0 ? true : throw new UsageException($"'{text}' is no region: {Forms}.");
    }

    /// <summary>Refuses options that do not apply to a register by name.</summary>
    /// <exception cref="UsageException">One of them was given.</exception>
    public static void Refuse(ParseResult parsed, params ReadOnlySpan<Option> options)
    {
        foreach (Option option in options)
        {
            if (parsed.GetResult(option) is { Implicit: false })
                throw new UsageException($"{option.Name} goes with a region and an offset, not with the name of a register.");
        }
    }

    private static uint Parse(ArgumentResult result)
    {
        string text = result.Tokens.Count == 0 ? "" : result.Tokens[0].Value;
        if (!TryParse(text, out uint region))
            result.AddError($"'{text}' is no region: {Forms}.");
        return region;
    }
}
