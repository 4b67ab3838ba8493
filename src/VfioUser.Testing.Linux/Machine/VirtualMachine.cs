using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace VfioUser.Testing.Linux;

/// <summary>A Linux guest in QEMU that runs commands and, if given a socket, has the vfio-user device that is served there.</summary>
/// <remarks>Any thread, but one command at a time: the guest has one serial port.</remarks>
internal sealed class VirtualMachine : IAsyncDisposable
{
    private static readonly TimeSpan CommandTimeout = TimeSpan.FromSeconds(180);

    private readonly Process _qemu;
    private readonly TimeSpan _bootTimeout;
    private readonly SerialConsole _console = new();
    private readonly Task _reading;
    private readonly TaskCompletionSource<string> _errors = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _lastCommand;
    private int _seen;

    private VirtualMachine(Process qemu, TimeSpan bootTimeout)
    {
        _qemu = qemu;
        _bootTimeout = bootTimeout;
        _reading = ReadConsole();
    }

    /// <summary>How much of the host's processors QEMU has had: unlike the time, this does not depend on who else wants them.</summary>
    public TimeSpan ProcessorTime => _qemu.TotalProcessorTime;

    /// <summary>What QEMU has written to its standard error, once it has ended.</summary>
    public Task<string> Errors => _errors.Task;

    /// <summary>All that the guest has printed.</summary>
    public string ConsoleText => _console.Text;

    /// <summary>Boots a guest and returns when it takes commands.</summary>
    public static Task<VirtualMachine> Start(Initramfs guest, string? socketPath = null) =>
        Start(new MachineOptions { Guest = guest, SocketPaths = socketPath is null ? [] : [socketPath] });

    /// <inheritdoc cref="Start(Initramfs, string?)"/>
    /// <exception cref="IOException">QEMU has ended, or the guest has panicked.</exception>
    /// <exception cref="TimeoutException">It did not boot in time.</exception>
    public static async Task<VirtualMachine> Start(MachineOptions options, CancellationToken cancellationToken = default)
    {
        VirtualMachine machine = StartFirmware(options);
        try
        {
            await machine.WaitUntilReady(cancellationToken).ConfigureAwait(false);
            return machine;
        }
        catch
        {
            await machine.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Starts a machine and does not wait for a guest: there may be none, only firmware.</summary>
    public static VirtualMachine StartFirmware(MachineOptions options)
    {
        ProcessStartInfo start = new(options.Folder.Qemu, QemuArguments.Of(options))
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        Process qemu = Process.Start(start) ?? throw new InvalidOperationException("QEMU did not start");
        return new VirtualMachine(qemu, options.BootTimeout);
    }

    /// <summary>Waits for console output that comes after what was waited for last.</summary>
    public async Task<string> WaitFor(string pattern, TimeSpan? timeout = null, CancellationToken cancellationToken = default)
    {
        Match match = await _console.WaitFor(pattern, _seen, timeout ?? CommandTimeout, cancellationToken).ConfigureAwait(false);
        _seen = match.Index + match.Length;
        return match.Value;
    }

    /// <summary>Runs one line of shell in the guest and waits for its end.</summary>
    /// <param name="command">The line.</param>
    /// <param name="timeout">Null for three minutes.</param>
    /// <param name="output">Gets what it prints as it prints it. On the thread that reads the console.</param>
    /// <param name="cancellationToken">Ends the wait, not the command.</param>
    public async Task<CommandResult> Run(string command, TimeSpan? timeout = null, Action<string>? output = null, CancellationToken cancellationToken = default)
    {
        using IDisposable? following = output is null ? null : _console.Follow(new MarkedOutput(_lastCommand + 1, output).Append);
        int id = await Send(command).ConfigureAwait(false);
        Match match = await _console.WaitFor(
            $@"^vm: begin {id}\n(?<output>[\s\S]*?)\n?vm: end {id} (?<code>\d+)\n", _seen, timeout ?? CommandTimeout, cancellationToken).ConfigureAwait(false);
        _seen = match.Index + match.Length;
        return new CommandResult(int.Parse(match.Groups["code"].ValueSpan, CultureInfo.InvariantCulture), match.Groups["output"].Value);
    }

    /// <summary>As <see cref="Run"/>, for a command that must not fail.</summary>
    public async Task<string> Output(string command, TimeSpan? timeout = null) =>
        (await Run(command, timeout).ConfigureAwait(false)).OutputOrThrow(command);

    /// <summary>Begins one line of shell that is not waited for: no other command runs in this guest any more.</summary>
    public Task Begin(string command) => Send(command);

    /// <summary>Resets the machine from within the guest and returns when it takes commands again.</summary>
    public async Task Reboot(CancellationToken cancellationToken = default)
    {
        await Send("reboot -f").ConfigureAwait(false);
        await WaitUntilReady(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Resets the machine from outside, whatever it is doing, and returns when it takes commands again.</summary>
    public async Task Reset(QmpMonitor monitor)
    {
        await monitor.Execute("system_reset").ConfigureAwait(false);
        await WaitUntilReady().ConfigureAwait(false);
    }

    /// <summary>Has the guest boot another kernel by a command of its own, and returns when that takes commands.</summary>
    public async Task Kexec(string command)
    {
        int id = await Send(command).ConfigureAwait(false);
        string line = await WaitFor($@"^vm: (ready|end {id} \d+)$", _bootTimeout).ConfigureAwait(false);
        if (!string.Equals(line, "vm: ready", StringComparison.Ordinal))
            throw new InvalidOperationException($"The command ended in the old kernel: {line}");
    }

    /// <summary>Switches the machine off from within the guest, so that QEMU ends in its own way.</summary>
    public async Task PowerOff()
    {
        await Send("poweroff -f").ConfigureAwait(false);
        await _qemu.WaitForExitAsync().WaitAsync(CommandTimeout).ConfigureAwait(false);
    }

    /// <summary>Ends QEMU with SIGKILL: it closes nothing and says nothing to the device.</summary>
    public async Task Kill()
    {
        _qemu.Kill();
        await _qemu.WaitForExitAsync().WaitAsync(CommandTimeout).ConfigureAwait(false);
    }

    public async ValueTask DisposeAsync()
    {
        await Kill().ConfigureAwait(false);
        await _reading.ConfigureAwait(false);
        _qemu.Dispose();
    }

    private Task<string> WaitUntilReady(CancellationToken cancellationToken = default) => WaitFor("^vm: ready$", _bootTimeout, cancellationToken);

    private async Task<int> Send(string command)
    {
        if (command.Contains('\n', StringComparison.Ordinal))
            throw new ArgumentException("A command is one line.", nameof(command));
        int id = ++_lastCommand;
        await _qemu.StandardInput.BaseStream.WriteAsync(Encoding.UTF8.GetBytes($"{id} {command}\n")).ConfigureAwait(false);
        await _qemu.StandardInput.BaseStream.FlushAsync().ConfigureAwait(false);
        return id;
    }

    private async Task ReadConsole()
    {
        Task<string> errors = _qemu.StandardError.ReadToEndAsync();
        char[] buffer = new char[4096];
        int count;
        while ((count = await _qemu.StandardOutput.ReadAsync(buffer).ConfigureAwait(false)) > 0)
            _console.Append(new string(buffer, 0, count));
        _errors.SetResult((await errors.ConfigureAwait(false)).TrimEnd());
        _console.End($"QEMU has ended. {await errors.ConfigureAwait(false)}".TrimEnd());
    }
}
