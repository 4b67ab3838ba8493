namespace VfioUser.Tool.Shell;

/// <summary>Reads commands from a terminal, and runs them until the end.</summary>
internal static class Prompt
{
    public static int Run(ShellSession session)
    {
        session.Terminal.Out.WriteLine("Tab completes, help lists the commands, Ctrl-D ends.");
        History history = History.OfUser();
        LineEditor editor = new(new ConsoleKeys(), history, (line, caret) => Completion.Of(session, line[..caret]));
        while (!session.IsOver && !session.Terminal.Stop.IsCancellationRequested && editor.ReadLine("vfio-user> ") is { } line)
        {
            history.Add(line);
            if (LineRun.Try(session, line) is { } failure)
                session.Terminal.Error.WriteLine(session.Terminal.Red(failure.Message));
        }
        return ExitCode.Success;
    }
}
