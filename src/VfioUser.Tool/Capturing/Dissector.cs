namespace VfioUser.Tool.Capturing;

/// <summary>Wireshark's dissector of what <see cref="PcapngWriter"/> writes.</summary>
internal static class Dissector
{
    /// <summary>A Lua plugin.</summary>
    public static string Text()
    {
        using Stream stream = typeof(Dissector).Assembly.GetManifestResourceStream("vfio-user.lua")!;
        using StreamReader reader = new(stream);
        return reader.ReadToEnd();
    }
}
