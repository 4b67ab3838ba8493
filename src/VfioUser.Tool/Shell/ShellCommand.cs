using System.CommandLine;
using VfioUser.Tool.CommandLine;

namespace VfioUser.Tool.Shell;

/// <summary><c>vfio-user shell</c>: drives a device as a guest's driver does, in a terminal or by a script.</summary>
internal static class ShellCommand
{
    public static Command Create(Terminal terminal)
    {
        Command command = new("shell", "Drives a device as a guest's driver does: registers, guest memory, interrupts; in a terminal or by a script");
        ServerArguments server = ServerArguments.AddTo(command);
        Argument<string[]> scripts = new("SCRIPT")
        {
            Description = "Files with a command a line, run in order; without any, a prompt, or the lines of standard input",
            Arity = ArgumentArity.ZeroOrMore,
        };
        scripts.Validators.Add(FilePath.NotEmpty);
        Option<string[]> lines = new("--command", "-c") { Description = "A command to run, in place of a script; may be given several times" };
        Option<string> memory = new("--memory") { Description = "How the device reaches guest memory: mapped, file, twin or message", DefaultValueFactory = _ => ShellMemory.Names[0] };
        memory.AcceptOnlyFromAmong([.. ShellMemory.Names]);
        Option<ulong?> size = Numbers.Option("--memory-size", "Bytes of guest memory; 16 MiB without it");
        Option<bool> echo = new("--echo") { Description = "Print each command of a script before it runs" };
        command.Add(scripts);
        command.Add(lines);
        command.Add(memory);
        command.Add(size);
        command.Add(echo);
        command.SetAction(parsed =>
        {
            string[] files = parsed.GetValue(scripts) ?? [];
            string[] commands = parsed.GetValue(lines) ?? [];
            if (files.Length > 0 && commands.Length > 0)
                throw new UsageException("Either scripts or --command, not both.");
            bool isPrompt = files.Length == 0 && commands.Length == 0 && terminal.Input is null;
            // before anything runs: a script that cannot be read is no failure of the device
            List<(string Name, IEnumerable<string> Lines)> sources = [.. files.Select(file => (file, (IEnumerable<string>)File.ReadAllLines(file)))];
            if (commands.Length > 0)
                sources.Add(("--command", commands));
            using ShellSession session = new(server.ExistingSocket(parsed), ShellMemory.Of(parsed.GetRequiredValue(memory), parsed.GetValue(size) ?? ShellMemory.DefaultSize),
                server.Timeout(parsed), terminal)
            { IsInteractive = isPrompt };
            if (isPrompt)
                return Prompt.Run(session);
            if (sources.Count == 0)
                sources.Add(("-", LinesOf(terminal.Input!)));
            ScriptRun run = new(session, parsed.GetValue(echo));
            return sources.Select(source => session.IsOver ? ExitCode.Success : run.Run(source.Name, source.Lines)).FirstOrDefault(code => code != ExitCode.Success);
        });
        return command;
    }

    private static IEnumerable<string> LinesOf(TextReader input)
    {
        while (input.ReadLine() is { } line)
            yield return line;
    }
}
