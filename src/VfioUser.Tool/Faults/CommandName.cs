using VfioUser.Protocol;

namespace VfioUser.Tool.Faults;

/// <summary>Parses names of commands, as the specification or this library spells them.</summary>
internal static class CommandName
{
    private const string Prefix = "VFIO_USER_";

    /// <summary>VFIO_USER_REGION_READ, REGION_READ or RegionRead, in any case.</summary>
    public static bool TryParse(string text, out Command command)
    {
        string name = text.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase) ? text[Prefix.Length..] : text;
        name = name.Replace("_", "", StringComparison.Ordinal);
        command = default;
        return name.Length > 0 && char.IsLetter(name[0]) && Enum.TryParse(name, ignoreCase: true, out command);
    }
}
