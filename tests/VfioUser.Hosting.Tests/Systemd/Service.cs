using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;

namespace VfioUser.Hosting.Tests;

/// <summary>A service in a process of its own, started and passed its sockets as systemd does.</summary>
internal sealed class Service : IDisposable
{
    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(2);
    private readonly Process _process;

    /// <param name="folder">For what systemd would have elsewhere.</param>
    /// <param name="devices">The names of its devices.</param>
    /// <param name="sockets">Passed on, in this order.</param>
    /// <param name="socketNames">With colons in between; null for none.</param>
    /// <param name="notifySocket">Null for none.</param>
    /// <param name="forThisProcess">False to pass sockets that are meant for another process.</param>
    public Service(
        string folder, string[] devices, ListeningSocket[] sockets, string? socketNames = null, string? notifySocket = null, bool forThisProcess = true)
    {
        // the runtime looks at the name of its parent
        string systemd = Path.Combine(folder, "systemd");
        if (!File.Exists(systemd))
            File.CreateSymbolicLink(systemd, "/bin/bash");
        SafeSocketHandle[] passed = [.. sockets.Select(socket => socket.Inheritable())];
        string redirections = string.Concat(passed.Select((socket, i) => string.Create(CultureInfo.InvariantCulture, $" {3 + i}<&{socket.DangerousGetHandle()} {socket.DangerousGetHandle()}<&-")));
        ProcessStartInfo start = new(systemd)
        {
            ArgumentList =
            {
                "-c", "\"$@\"; exit $?", "systemd",
                "bash", "-c", $"export LISTEN_PID={(forThisProcess ? "$$" : "1")}; exec \"$@\"{redirections}", "bash",
                Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", "exec", typeof(Program).Assembly.Location,
            },
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (string device in devices)
            start.ArgumentList.Add(device);
        start.Environment["LISTEN_FDS"] = sockets.Length.ToString(CultureInfo.InvariantCulture);
        start.Environment["LISTEN_FDNAMES"] = socketNames;
        start.Environment["NOTIFY_SOCKET"] = notifySocket;
        _process = Process.Start(start)!;
        Error = _process.StandardError.ReadToEndAsync();
        Array.ForEach(passed, socket => socket.Dispose());
    }

    public Task<string> Error { get; }

    /// <summary>Waits until it serves.</summary>
    /// <returns>The environment and the descriptors of a program that it has started.</returns>
    public async Task<string[]> Started()
    {
        List<string> seen = [];
        using CancellationTokenSource timeout = new(Timeout);
        (await _process.StandardOutput.ReadLineAsync(timeout.Token)).Should().Be("ready");
        while (await _process.StandardOutput.ReadLineAsync(timeout.Token) is { } line and not ".")
            seen.Add(line);
        return [.. seen];
    }

    /// <summary>Ends it, or waits until it has ended.</summary>
    public async Task<int> Stop()
    {
        _process.StandardInput.Close();
        using CancellationTokenSource timeout = new(Timeout);
        await _process.WaitForExitAsync(timeout.Token);
        return _process.ExitCode;
    }

    public void Dispose()
    {
        if (!_process.HasExited)
            _process.Kill(entireProcessTree: true);
        _process.Dispose();
    }
}
