using System.CommandLine;
using System.CommandLine.Parsing;
using VfioUser.Testing.Linux;
using VfioUser.Tool.CommandLine;

namespace VfioUser.Tool.Machines;

/// <summary><c>vfio-user vm</c>: a Linux guest that has the devices of servers, with a prompt or a script.</summary>
internal static class VmCommand
{
    private const double LongestTimeout = 86400 * 7;

    public static Command Create(Terminal terminal)
    {
        Command command = new("vm",
            "Boots Linux in QEMU with the devices of servers: a prompt, or a script and its exit code. Fetches both, without root");
        Argument<string[]> words = new("SOCKET")
        {
            Description = "Servers' sockets: paths, or @name for abstract ones; after --, a command to run in the guest in place of a prompt",
            Arity = ArgumentArity.ZeroOrMore,
        };
        Option<string?> run = new("--run") { Description = "A shell script of this host to run in the guest; its exit code is this command's" };
        run.Validators.Add(FilePath.NotEmpty);
        Option<double?> timeout = new("--timeout")
        {
            Description = "Seconds until the command or script must have ended; without it, as long as it takes",
        };
        timeout.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<double?>() is not (> 0 and <= LongestTimeout))
                result.AddError("--timeout takes a number of seconds above 0, a week at most.");
        });
        command.Add(words);
        command.Add(run);
        GuestArguments guest = GuestArguments.AddTo(command);
        command.Add(timeout);
        command.SetAction(parsed =>
        {
            (string[] sockets, string[] line) = Split(parsed.GetValue(words) ?? [], parsed);
            if (line.Length > 0 && parsed.GetValue(run) is not null)
                throw new UsageException("Either --run or a command after --, not both.");
            LinuxGuestOptions options = guest.Options(parsed) with { Sockets = [.. sockets.Select(Existing)], Progress = terminal.Error.WriteLine };
            GuestRun guestRun = new(options, parsed.GetValue(timeout) is { } seconds ? TimeSpan.FromSeconds(seconds) : null, terminal);
            if (line.Length > 0)
                return guestRun.Run(string.Join(' ', line), script: null);
            string? script = parsed.GetValue(run) is { } file ? GuestArguments.ExistingFile(file) : terminal.Input is null ? null : "-";
            return script is null ? guestRun.Prompt() : guestRun.Run(command: null, script);
        });
        return command;
    }

    // the parser takes what stands after -- for arguments, too
    private static (string[] Sockets, string[] Command) Split(string[] words, ParseResult parsed)
    {
        int after = parsed.Tokens.SkipWhile(token => token.Type != TokenType.DoubleDash).Skip(1).Count();
        return (words[..^after], words[^after..]);
    }

    private static string Existing(string socket)
    {
        if (socket is ['@', _, ..])
            return socket;
        if (Directory.Exists(socket))
            throw new ToolException($"Cannot connect to '{socket}': it is a folder, not a socket.");
        return File.Exists(socket) ? socket : throw new ToolException($"Cannot connect to '{socket}': no such file.");
    }
}
