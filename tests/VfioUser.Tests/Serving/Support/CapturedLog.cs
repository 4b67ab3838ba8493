using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace VfioUser.Tests.Serving;

/// <summary>What a server said.</summary>
internal sealed class CapturedLog : ILogger
{
    public const int PeerRefused = 4;
    public const int NegotiationFailed = 5;
    public const int SessionBroken = 7;
    public const int SessionFailed = 8;
    public const int DeviceThrew = 9;
    public const int HookThrew = 15;
    public const int CannotAccept = 16;
    public const int ReplyDropped = 17;
    public const int DmaReplyMalformed = 80;
    public const int DmaTimedOut = 81;
    public const int DmaRefused = 82;
    public const int DmaStreamBroken = 83;

    private readonly ConcurrentQueue<LogEntry> _entries = new();

    /// <summary>What is below this is neither kept nor made.</summary>
    public LogLevel Level { get; set; } = LogLevel.Trace;

    public IReadOnlyCollection<LogEntry> Entries => _entries;

    /// <summary>Everything that this side did wrong.</summary>
    public IEnumerable<LogEntry> Failures => _entries.Where(entry => entry.Id == SessionFailed);

    public bool Has(int id) => _entries.Any(entry => entry.Id == id);

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => logLevel >= Level;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        string text = formatter(state, exception);
        if (logLevel >= LogLevel.Debug)
            _entries.Enqueue(new LogEntry(eventId.Id, logLevel, text, exception));
    }
}

internal sealed record LogEntry(int Id, LogLevel Level, string Text, Exception? Exception);
