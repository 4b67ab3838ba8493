using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace VfioUser.Vm.Tests.Harness;

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

    /// <summary>Boots a guest and returns when it takes commands.</summary>
    public static Task<VirtualMachine> Start(Initramfs guest, string? socketPath = null) =>
        Start(new MachineOptions { Guest = guest, SocketPaths = socketPath is null ? [] : [socketPath] });

    /// <inheritdoc cref="Start(Initramfs, string?)"/>
    public static async Task<VirtualMachine> Start(MachineOptions options)
    {
        VirtualMachine machine = StartFirmware(options);
        try
        {
            await machine.WaitUntilReady();
            return machine;
        }
        catch
        {
            await machine.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts a machine and does not wait for a guest: there may be none, only firmware.</summary>
    public static VirtualMachine StartFirmware(MachineOptions options)
    {
        var start = new ProcessStartInfo(VmFolder.Qemu, QemuArguments.Of(options))
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
    public async Task<string> WaitFor(string pattern, TimeSpan? timeout = null)
    {
        Match match = await _console.WaitFor(pattern, _seen, timeout ?? CommandTimeout);
        _seen = match.Index + match.Length;
        return match.Value;
    }

    /// <summary>Runs one line of shell in the guest and waits for its end.</summary>
    public async Task<CommandResult> Run(string command, TimeSpan? timeout = null)
    {
        int id = await Send(command);
        Match match = await _console.WaitFor(
            $@"^vm: begin {id}\n(?<output>[\s\S]*?)\n?vm: end {id} (?<code>\d+)\n", _seen, timeout ?? CommandTimeout);
        _seen = match.Index + match.Length;
        return new CommandResult(int.Parse(match.Groups["code"].ValueSpan, CultureInfo.InvariantCulture), match.Groups["output"].Value);
    }

    /// <summary>As <see cref="Run"/>, for a command that must not fail.</summary>
    public async Task<string> Output(string command, TimeSpan? timeout = null) => (await Run(command, timeout)).OutputOrThrow(command);

    /// <summary>Begins one line of shell that is not waited for: no other command runs in this guest any more.</summary>
    public Task Begin(string command) => Send(command);

    /// <summary>Resets the machine from within the guest and returns when it takes commands again.</summary>
    public async Task Reboot()
    {
        await Send("reboot -f");
        await WaitUntilReady();
    }

    /// <summary>Resets the machine from outside, whatever it is doing, and returns when it takes commands again.</summary>
    public async Task Reset(QmpMonitor monitor)
    {
        await monitor.Execute("system_reset");
        await WaitUntilReady();
    }

    /// <summary>Has the guest boot another kernel by a command of its own, and returns when that takes commands.</summary>
    public async Task Kexec(string command)
    {
        int id = await Send(command);
        string line = await WaitFor($@"^vm: (ready|end {id} \d+)$", _bootTimeout);
        if (!string.Equals(line, "vm: ready", StringComparison.Ordinal))
        {
            throw new InvalidOperationException($"The command ended in the old kernel: {line}");
        }
    }

    /// <summary>Switches the machine off from within the guest, so that QEMU ends in its own way.</summary>
    public async Task PowerOff()
    {
        await Send("poweroff -f");
        await _qemu.WaitForExitAsync().WaitAsync(CommandTimeout);
    }

    /// <summary>Ends QEMU with SIGKILL: it closes nothing and says nothing to the device.</summary>
    public async Task Kill()
    {
        _qemu.Kill();
        await _qemu.WaitForExitAsync().WaitAsync(CommandTimeout);
    }

    /// <summary>How much of the host's processors QEMU has had: unlike the time, this does not depend on who else wants them.</summary>
    public TimeSpan ProcessorTime => _qemu.TotalProcessorTime;

    /// <summary>What QEMU has written to its standard error, once it has ended.</summary>
    public Task<string> Errors => _errors.Task;

    public async ValueTask DisposeAsync()
    {
        await Kill();
        await _reading;
        _qemu.Dispose();
    }

    private Task<string> WaitUntilReady() => WaitFor("^vm: ready$", _bootTimeout);

    private async Task<int> Send(string command)
    {
        if (command.Contains('\n', StringComparison.Ordinal))
        {
            throw new ArgumentException("a command is one line", nameof(command));
        }

        int id = ++_lastCommand;
        await _qemu.StandardInput.BaseStream.WriteAsync(Encoding.UTF8.GetBytes($"{id} {command}\n"));
        await _qemu.StandardInput.BaseStream.FlushAsync();
        return id;
    }

    private async Task ReadConsole()
    {
        Task<string> errors = _qemu.StandardError.ReadToEndAsync();
        char[] buffer = new char[4096];
        int count;
        while ((count = await _qemu.StandardOutput.ReadAsync(buffer)) > 0)
        {
            _console.Append(new string(buffer, 0, count));
        }

        _errors.SetResult((await errors).TrimEnd());
        _console.End($"QEMU has ended. {await errors}".TrimEnd());
    }
}
