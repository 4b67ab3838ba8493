namespace VfioUser.Tool.Tests;

/// <summary>A device on a socket of its own, and the tool run against it in this process.</summary>
internal sealed class Served : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("vfio-user-tool-");
    private readonly VfioUserServer _server;
    private readonly Task _serving;

    public Served(PciDevice device, VfioUserServerOptions? options = null)
    {
        Socket = Path.Combine(_folder.FullName, "device.sock");
        _server = VfioUserServer.Bind(Socket, options);
        _serving = _server.RunAsync(device);
    }

    public string Socket { get; }

    public string PathOf(string file) => Path.Combine(_folder.FullName, file);

    /// <summary>Runs a command whose second word is the socket.</summary>
    public ToolRun Run(string command, params string[] more) => ToolRun.Of([command, Socket, .. more]);

    public void Dispose()
    {
        _server.Dispose();
        _serving.Wait();
        _folder.Delete(recursive: true);
    }
}
