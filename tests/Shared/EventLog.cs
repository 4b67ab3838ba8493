using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace VfioUser.Tests;

/// <summary>Keeps a log's lines of some events, and passes all on.</summary>
/// <param name="next">Null for nobody.</param>
/// <param name="first">Of the events.</param>
/// <param name="last">Of the events.</param>
internal sealed class EventLog(ILogger? next, int first, int last) : ILogger
{
    /// <summary>In the order of their events, with the exceptions.</summary>
    public ConcurrentQueue<string> Lines { get; } = new();

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => next?.BeginScope(state);

    public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning || next?.IsEnabled(logLevel) == true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (eventId.Id >= first && eventId.Id <= last)
            Lines.Enqueue(exception is null ? formatter(state, null) : $"{formatter(state, exception)} {exception}");
        next?.Log(logLevel, eventId, state, exception, formatter);
    }
}
