using System.Globalization;

namespace VfioUser.Tool.Shell;

/// <summary>Runs the lines of a script, and ends at the first that fails.</summary>
/// <param name="session">What they act on.</param>
/// <param name="echo">Whether each is printed before it runs.</param>
internal sealed class ScriptRun(ShellSession session, bool echo)
{
    /// <summary>Runs lines.</summary>
    /// <param name="name">Of the script, for messages.</param>
    /// <param name="lines">Lines, without their ends.</param>
    /// <returns>One of <see cref="ExitCode"/>.</returns>
    public int Run(string name, IEnumerable<string> lines)
    {
        int number = 0;
        foreach (string line in lines)
        {
            number++;
            if (echo && line.Length > 0)
                session.Terminal.Out.WriteLine(session.Terminal.Gray($"> {line}"));
            if (LineRun.Try(session, line) is { } failure)
            {
                session.Terminal.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name}:{number}: {failure.Message}"));
                return failure.ExitCode;
            }
            session.Terminal.Stop.ThrowIfCancellationRequested();
            if (session.IsOver)
                break;
        }
        return ExitCode.Success;
    }
}
