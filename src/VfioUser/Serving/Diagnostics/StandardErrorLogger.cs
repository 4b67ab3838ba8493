using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.Logging;

namespace VfioUser;

/// <summary>The log of a server that was given none: warnings and errors go to standard error, a line each. Any thread.</summary>
/// <param name="output">Standard error, which a program may replace.</param>
internal sealed class StandardErrorLogger(Func<TextWriter> output) : ILogger
{
    /// <summary>It has no state.</summary>
    public static StandardErrorLogger Instance { get; } = new(() => Console.Error);

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => logLevel is >= LogLevel.Warning and < LogLevel.None;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (!IsEnabled(logLevel))
            return;
        string line = $"VfioUser: {(logLevel == LogLevel.Warning ? "warning" : "error")}: {formatter(state, null)}{(exception is null ? "" : " " + Describe(exception))}";
        try
        {
            output().WriteLine(line.ReplaceLineEndings(" "));
        }
        catch (IOException)
        {
            // standard error is full or broken, and there is no other place to say so
        }
    }

    /// <summary>Type, message, and the innermost place of the code with its file.</summary>
    private static string Describe(Exception exception)
    {
        StackFrame? frame = new StackTrace(exception, fNeedFileInfo: true).GetFrame(0);
        string where = frame is null || DiagnosticMethodInfo.Create(frame) is not { } method ? ""
            : string.Create(CultureInfo.InvariantCulture, $" at {method.DeclaringTypeName}.{method.Name}{(frame.GetFileName() is { } file ? $" in {file}:{frame.GetFileLineNumber()}" : "")}");
        return $"{exception.GetType().Name}: {exception.Message}{where}";
    }
}
