using System.Diagnostics;
using VfioUser.Client;

namespace VfioUser.Migration.Tests;

/// <summary>A device server in a process of its own.</summary>
internal sealed class DeviceProcess : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("vfio-user-").FullName;
    private readonly Process _process;

    public DeviceProcess()
    {
        string socket = Path.Combine(_folder, "device.sock");
        ProcessStartInfo start = new(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet")
        {
            ArgumentList = { "exec", typeof(Program).Assembly.Location, socket },
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        _process = Process.Start(start)!;
        if (_process.StandardOutput.ReadLine() is not "ready")
            throw new InvalidOperationException("The device server did not start.");
        Client = VfioUserClient.Connect(socket);
    }

    public VfioUserClient Client { get; }

    public int Id => _process.Id;

    public void Dispose()
    {
        Client.Dispose();
        _process.StandardInput.Close();
        if (!_process.WaitForExit(TimeSpan.FromSeconds(30)))
            _process.Kill();
        _process.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}
