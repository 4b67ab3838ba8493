using System.CommandLine;
using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Tool.CommandLine;

namespace VfioUser.Tool;

/// <summary>The tool's entry point, without a process around it.</summary>
internal static class VfioUserTool
{
    /// <summary>Runs one command to its end.</summary>
    /// <returns>One of <see cref="ExitCode"/>.</returns>
    public static int Run(IReadOnlyList<string> args, Terminal terminal)
    {
        // @name is an abstract socket here, not a response file
        ParserConfiguration parser = new() { ResponseFileTokenReplacer = null };
        ParseResult parsed = Commands.Create(terminal).Parse(args, parser);
        if (UsageErrors.First(parsed) is { } error)
        {
            terminal.Error.WriteLine($"vfio-user: {OneLine(error)}");
            return ExitCode.Usage;
        }
        try
        {
            return parsed.Invoke(new InvocationConfiguration
            {
                Output = terminal.Out,
                Error = terminal.Error,
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = null,
            });
        }
        catch (Exception) when (terminal.Stop.IsCancellationRequested)
        {
            // after Ctrl-C any failure is a consequence of it
            return ExitCode.Interrupted;
        }
        catch (OperationCanceledException) when (terminal.OutputClosed.IsCancellationRequested)
        {
            // nothing reads the output any more
            return ExitCode.Interrupted;
        }
        catch (Exception e) when (e is ToolException or VfioUserException or ProtocolException or IOException or UnauthorizedAccessException)
        {
            terminal.Error.WriteLine($"vfio-user: {Describe(e)}");
            return e is UsageException ? ExitCode.Usage : ExitCode.Failure;
        }
    }

    private static string OneLine(string text) => text.ReplaceLineEndings(" ").Replace('\t', ' ').Trim();

    /// <summary>A failure in a line.</summary>
    public static string Describe(Exception e) => OneLine(e switch
    {
        VfioUserException { Command: Protocol.Command.Version, Errno: Errno.EBUSY, Reason: null } => "The server refused: another client is attached, and it serves one at a time.",
        VfioUserException { Errno: Errno.ENOTCONN } closed => $"The server disconnected before it answered {closed.Command}.",
        VfioUserException { Errno: Errno.ETIMEDOUT } silent => $"The server did not answer {silent.Command} in time (see --server-timeout).",
        VfioUserException { Errno: Errno.EBADMSG } broken => $"The server's answer to {broken.Command} is inconsistent.",
        VfioUserException { Errno: not Errno.None, Reason: { } reason } explained => $"The server refused {explained.Command} with {explained.Errno}: {reason}.",
        VfioUserException { Errno: not Errno.None } refused => $"The server refused {refused.Command} with {refused.Errno}.",
        ArgumentException { ParamName: { } name } => e.Message.Replace($" (Parameter '{name}')", "", StringComparison.Ordinal),
        _ => e.Message,
    });
}
