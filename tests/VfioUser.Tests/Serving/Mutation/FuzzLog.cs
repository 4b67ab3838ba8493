using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace VfioUser.Tests.Serving;

/// <summary>Keeps what must not happen, and counts the rest.</summary>
internal sealed class FuzzLog : ILogger
{
    private readonly ConcurrentQueue<LogEntry> _failures = new();
    private int _thrown;
    private int _broken;

    /// <summary>Whether each message is to be described, as a trace does it.</summary>
    public bool IsTracing { get; set; }

    public IReadOnlyCollection<LogEntry> Failures => _failures;

    /// <summary>What the device threw on purpose.</summary>
    public int Thrown => _thrown;

    /// <summary>Sessions that ended by what the client said.</summary>
    public int Broken => _broken;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => IsTracing || logLevel >= LogLevel.Warning;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        string text = formatter(state, exception);
        if (exception is FuzzException)
            Interlocked.Increment(ref _thrown);
        else if (logLevel >= LogLevel.Error || exception is not null)
            _failures.Enqueue(new LogEntry(eventId.Id, logLevel, text, exception));
        else if (eventId.Id is CapturedLog.SessionBroken or CapturedLog.NegotiationFailed)
            Interlocked.Increment(ref _broken);
    }
}
