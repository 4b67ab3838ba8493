using VfioUser.Client;
using VfioUser.Protocol;

namespace VfioUser.Tool.Tests.Scratch;

/// <summary>The tool's serve, on a socket of its own.</summary>
internal sealed class ServedScratch : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("vfio-user-serve-");
    private readonly Lines _tool;

    public ServedScratch(string? description = null, params string[] more)
    {
        Socket = Path.Combine(_folder.FullName, "scratch.sock");
        string file = Path.Combine(_folder.FullName, "device.json");
        File.WriteAllText(file, description ?? ToolRun.Of("serve", "--example").Out);
        _tool = new Lines(["serve", Socket, file, .. more]);
        _tool.Next().Should().Be($"serving on {Socket}");
    }

    public string Socket { get; }

    public VfioUserClient Connect(double seconds = 120, IDmaHandler? memory = null) => VfioUserClient.Connect(Socket, new VfioUserClientOptions
    {
        Timeout = TimeSpan.FromSeconds(seconds),
        DmaHandler = memory,
        TwinSocket = TwinSocketPolicy.Prefer,
    });

    public void Dispose()
    {
        _tool.Stop();
        _tool.ExitCode().Wait();
        _tool.Error.Should().NotContain("error:");
        _tool.Dispose();
        _folder.Delete(recursive: true);
    }
}
