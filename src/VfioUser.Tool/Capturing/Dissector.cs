using System.Text;
using VfioUser.Tool.Registers;

namespace VfioUser.Tool.Capturing;

/// <summary>Wireshark's dissector of what <see cref="PcapngWriter"/> writes.</summary>
internal static class Dissector
{
    // where the plugin has the names of configuration space's header
    private const string Config = "@CONFIG@";

    /// <summary>A Lua plugin.</summary>
    public static string Text()
    {
        using Stream stream = typeof(Dissector).Assembly.GetManifestResourceStream("vfio-user.lua")!;
        using StreamReader reader = new(stream);
        return reader.ReadToEnd().Replace(Config, string.Concat(NameLines.Of(ConfigHeader.Names, int.MaxValue).Select(Encoding.UTF8.GetString)), StringComparison.Ordinal);
    }
}
