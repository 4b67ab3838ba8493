using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using VfioUser.Tool.CommandLine;

namespace VfioUser.Tool.Regions;

/// <summary>Names of a PCI device's regions. Source: <c>linux/vfio.h</c>, VFIO_PCI_*_REGION_INDEX.</summary>
internal static class RegionName
{
    public const uint Config = 7;

    private const string Forms = "bar0 to bar5, rom, config, vga, or an index";

    private static readonly string[] Names = ["bar0", "bar1", "bar2", "bar3", "bar4", "bar5", "rom", "config", "vga"];

    public static Argument<uint> Argument() => new("REGION") { Description = Forms, CustomParser = Parse };

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

    private static uint Parse(ArgumentResult result)
    {
        string text = result.Tokens.Count == 0 ? "" : result.Tokens[0].Value;
        if (!TryParse(text, out uint region))
            result.AddError($"'{text}' is no region: {Forms}.");
        return region;
    }
}
