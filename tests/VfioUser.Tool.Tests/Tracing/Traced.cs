using VfioUser.Client;
using VfioUser.Protocol;

namespace VfioUser.Tool.Tests.Tracing;

/// <summary>The tool's trace in front of a device.</summary>
internal sealed class Traced : IDisposable
{
    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(2);
    private readonly Served? _served;
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("vfio-user-trace-");
    private readonly Lines _tool;
    private readonly List<string> _lines = [];

    public Traced(PciDevice device, params string[] more)
        : this(new Served(device), null, more)
    {
    }

    /// <summary>In front of a device whose server has options.</summary>
    public Traced(PciDevice device, VfioUserServerOptions options, params string[] more)
        : this(new Served(device, options), null, more)
    {
    }

    /// <summary>In front of whatever listens on a socket.</summary>
    public Traced(string server, params string[] more)
        : this(null, server, more)
    {
    }

    private Traced(Served? served, string? server, string[] more)
    {
        _served = served;
        Socket = Path.Combine(_folder.FullName, "trace.sock");
        _tool = new Lines(["trace", Socket, server ?? served!.Socket, .. more]);
        _tool.Next().Should().Contain("listening");
    }

    public string Socket { get; }

    public string Error => _tool.Error;

    public string PathOf(string file) => Path.Combine(_folder.FullName, file);

    public VfioUserClient Connect(TwinSocketPolicy twin = TwinSocketPolicy.Never, IDmaHandler? memory = null) =>
        VfioUserClient.Connect(Socket, new VfioUserClientOptions { TwinSocket = twin, DmaHandler = memory, Timeout = Timeout });

    /// <summary>A client of the device that the trace does not see.</summary>
    public VfioUserClient ConnectPast() => VfioUserClient.Connect(_served!.Socket, new VfioUserClientOptions { Timeout = Timeout });

    /// <summary>The next line with that in it; what comes before is gone.</summary>
    public string LineWith(string text)
    {
        while (true)
        {
            string line = _tool.Next();
            _lines.Add(line);
            if (line.Contains(text, StringComparison.Ordinal))
                return line;
        }
    }

    /// <summary>All lines so far, behind the first.</summary>
    public IReadOnlyList<string> Lines => _lines;

    /// <summary>As Ctrl-C.</summary>
    public async Task<int> Stop()
    {
        _tool.Stop();
        return await _tool.ExitCode();
    }

    public void Dispose()
    {
        Stop().Wait();
        _tool.Dispose();
        _served?.Dispose();
        _folder.Delete(recursive: true);
    }
}
