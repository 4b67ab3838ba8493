using System.Diagnostics;
using System.Globalization;
using VfioUser.Testing.Linux;

namespace VfioUser.Tool.Machines;

/// <summary>A guest from its start to its end: with a prompt on the terminal, or with one command.</summary>
/// <param name="options">The guest's.</param>
/// <param name="limit">Until the command must have ended; null for none.</param>
/// <param name="terminal">Gets what the command prints.</param>
internal sealed class GuestRun(LinuxGuestOptions options, TimeSpan? limit, Terminal terminal)
{
    // nothing waits for longer
    private static readonly TimeSpan Forever = TimeSpan.FromDays(7);

    /// <summary>Runs a command or a script in the guest, and ends it.</summary>
    /// <param name="command">A line of shell; null for a script.</param>
    /// <param name="script">A file of this host, or - for standard input.</param>
    /// <returns>The exit code of the command; <see cref="ExitCode.NoGuest"/> if it has none, <see cref="ExitCode.TimeIsUp"/> if it took too long.</returns>
    public int Run(string? command, string? script)
    {
        using CancellationTokenSource ended = terminal.UntilEnded();
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(ended.Token);
        if (limit is { } time)
            stop.CancelAfter(time);
        DirectoryInfo folder = Directory.CreateTempSubdirectory("vfio-user-vm-");
        try
        {
            LinuxGuestOptions given = script is null ? options : options with { Files = [.. options.Files, ScriptFile(script, folder)] };
            return RunAsync(command ?? ScriptLine(script!, folder), given, stop.Token).GetAwaiter().GetResult();
        }
        catch (OperationCanceledException) when (!ended.IsCancellationRequested)
        {
            double seconds = limit!.Value.TotalSeconds;
            return Fail(string.Create(CultureInfo.InvariantCulture, $"The guest did not end within {seconds} seconds."), ExitCode.TimeIsUp);
        }
        catch (Exception e) when (!ended.IsCancellationRequested && e is IOException or TimeoutException or InvalidOperationException)
        {
            return Fail(e.Message, ExitCode.NoGuest);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>Gives the terminal to the guest until it is switched off.</summary>
    public int Prompt()
    {
        try
        {
            options.Check();
            GuestFolder folder = GuestFolder.FetchAsync(options.Progress, terminal.Stop).GetAwaiter().GetResult();
            options.Initramfs().FetchPackagesAsync(folder, options.Progress, terminal.Stop).GetAwaiter().GetResult();
            (int rows, int columns) = terminal.IsInteractive ? (Console.WindowHeight, Console.WindowWidth) : (0, 0);
            if (rows <= 0 || columns <= 0)
                (rows, columns) = (24, 80);
            MachineOptions machine = options.Machine(folder, served: []) with
            {
                HasTerminal = true,
                KernelArguments = string.Create(CultureInfo.InvariantCulture, $"{options.KernelArguments} vfio_user.shell={rows}x{columns}").Trim(),
            };
            terminal.Error.WriteLine("Booting. Ctrl-A X ends the machine, Ctrl-A H lists QEMU's other keys.");
            ProcessStartInfo start = new(folder.Qemu, QemuArguments.Of(machine)) { UseShellExecute = false, RedirectStandardError = true };
            using Process qemu = Process.Start(start) ?? throw new InvalidOperationException("QEMU did not start");
            string errors = qemu.StandardError.ReadToEnd().TrimEnd();
            qemu.WaitForExit();
            return qemu.ExitCode == 0 ? ExitCode.Success : Fail(QemuFailure.Describe(errors), ExitCode.NoGuest);
        }
        catch (InvalidOperationException e)
        {
            return Fail(e.Message, ExitCode.NoGuest);
        }
    }

    private async Task<int> RunAsync(string command, LinuxGuestOptions given, CancellationToken stop)
    {
        LinuxGuest guest = await LinuxGuest.StartAsync(given, stop).ConfigureAwait(false);
        await using (guest.ConfigureAwait(false))
        {
            bool isLineOpen = false;
            CommandResult result = await guest.RunAsync(command, Print, Forever, stop).ConfigureAwait(false);
            if (isLineOpen)
                await terminal.Out.WriteLineAsync().ConfigureAwait(false);
            await guest.PowerOffAsync().ConfigureAwait(false);
            return result.ExitCode;

            void Print(string piece)
            {
                terminal.Out.Write(piece);
                terminal.Out.Flush();
                isLineOpen = true;
            }
        }
    }

    // its name in the guest
    private static string ScriptLine(string script, DirectoryInfo folder) => $"sh '/files/{Path.GetFileName(ScriptPath(script, folder))}'";

    private static string ScriptPath(string script, DirectoryInfo folder) => Path.Combine(folder.FullName, script is "-" ? "standard-input" : "script");

    // a copy, whose name needs no quotes
    private string ScriptFile(string script, DirectoryInfo folder)
    {
        string path = ScriptPath(script, folder);
        if (script is "-")
            File.WriteAllText(path, terminal.Input!.ReadToEnd());
        else
            File.Copy(script, path);
        return path;
    }

    private int Fail(string message, int code)
    {
        terminal.Error.WriteLine($"vfio-user: {message}");
        return code;
    }
}
