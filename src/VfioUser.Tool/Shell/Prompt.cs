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
            RunLine(session, line);
        }
        return ExitCode.Success;
    }

    /// <summary>Runs a line, and prints why it failed. Ctrl-C ends the line, and a second one the tool.</summary>
    /// <exception cref="OperationCanceledException">The tool ends.</exception>
    public static void RunLine(ShellSession session, string line)
    {
        string? problem = session.Terminal.Foreground.Run(stop =>
        {
            session.Stop = stop;
            try
            {
                return LineRun.Try(session, line)?.Message;
            }
            catch (OperationCanceledException) when (!session.Terminal.Stop.IsCancellationRequested)
            {
                return "Interrupted.";
            }
            finally
            {
                session.Stop = session.Terminal.Stop;
            }
        }, session.Terminal.Stop);
        if (problem is not null)
            session.Terminal.Error.WriteLine(session.Terminal.Red(problem));
    }
}
