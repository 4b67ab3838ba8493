using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tool.Shell;

/// <summary>Runs one line.</summary>
internal static class LineRun
{
    /// <summary>A line that failed: why, and the exit code of a script.</summary>
    public sealed record Failure(string Message, int ExitCode);

    /// <returns>Null if it succeeded, or has no command.</returns>
    /// <exception cref="OperationCanceledException">Ctrl-C.</exception>
    public static Failure? Try(ShellSession session, string line)
    {
        Verb? verb = null;
        try
        {
            Words words = Words.Of(line);
            if (words.IsAtEnd)
                return null;
            verb = VerbTable.Take(words);
            verb.Run(session, words);
            return null;
        }
        catch (OperationCanceledException)
        {
            throw;
        }
        catch (UsageException e)
        {
            return new Failure(verb is null ? e.Message : $"{e.Message} Usage: {verb.Usage}", ExitCode.Usage);
        }
        catch (Exception) when (session.Stop.IsCancellationRequested)
        {
            // after Ctrl-C any failure is a consequence of it
            throw new OperationCanceledException(session.Stop);
        }
        catch (Exception e) when (e is ToolException or VfioUserException or ProtocolException or TestGuestException or IOException
            or UnauthorizedAccessException or ArgumentException or InvalidOperationException)
        {
            return new Failure(VfioUserTool.Describe(e), ExitCode.Failure);
        }
    }
}
