using Microsoft.Extensions.Logging;

namespace VfioUser.Tool;

/// <summary>Writes the log of the tool's own server to standard error. Any thread.</summary>
internal sealed class TerminalLogger(Terminal terminal) : ILogger
{
    private readonly Lock _gate = new();

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => logLevel is >= LogLevel.Information and < LogLevel.None;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (!IsEnabled(logLevel))
            return;
        string level = logLevel switch
        {
            LogLevel.Information => "",
            LogLevel.Warning => "warning: ",
            _ => "error: ",
        };
        string cause = exception is null ? "" : $" {exception.GetType().Name}: {exception.Message}";
        lock (_gate)
            terminal.Error.WriteLine($"vfio-user: {level}{formatter(state, null)}{cause}".ReplaceLineEndings(" "));
    }
}
