using System.Diagnostics;

namespace VfioUser.Tool.Tests.Capturing;

/// <summary>tshark with the tool's dissector.</summary>
internal static class Tshark
{
    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(2);

    /// <summary>The fields of each frame of a capture, with tabs between.</summary>
    public static async Task<string[]> Fields(string capture, string filter, params string[] fields)
    {
        string plugin = Path.ChangeExtension(capture, "lua");
        await File.WriteAllTextAsync(plugin, ToolRun.Of("trace", "--dissector").Out);
        ProcessStartInfo start = new("tshark", ["-n", "-X", "lua_script:" + plugin, "-r", capture, "-Y", filter, "-T", "fields", .. fields.SelectMany(field => new[] { "-e", field })])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using Process tshark = Process.Start(start)!;
        Task<string> output = tshark.StandardOutput.ReadToEndAsync();
        Task<string> error = tshark.StandardError.ReadToEndAsync();
        await tshark.WaitForExitAsync().WaitAsync(Timeout);
        // it warns of being root
        (await error).Should().NotContainAny("Lua", "lua", "The file", "isn't");
        tshark.ExitCode.Should().Be(0, await error);
        return (await output).Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }
}
