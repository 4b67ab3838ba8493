using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using VfioUser.Client;
using VfioUser.Protocol;

namespace VfioUser.Testing;

/// <summary>The server's log and the device's exceptions, of which the test may have seen some.</summary>
/// <remarks>Any thread.</remarks>
internal sealed class GuestLog(TestGuestOptions options) : ILogger
{
    private const int MaxLines = 1000;
    private const int LastLines = 5;

    // events of the server's log
    private const int Refused = 10;
    private const int FirstRefused = 91;
    private const int WorkersWait = 63;

    private readonly ILogger _next = ReferenceEquals(options.Server.Logger, StandardErrorLogger.Instance) ? NullLogger.Instance : options.Server.Logger;
    private readonly Lock _lock = new();
    private readonly Queue<string> _lines = new();
    private readonly List<DeviceExceptionContext> _exceptions = [];
    private readonly List<DeviceExceptionContext> _unseen = [];
    private Action<string>? _output = options.Output;
    private (Command Command, string Reason)? _refusal;
    private volatile bool _waitsForWorkers;

    /// <summary>Whether the server stops, and workers of the device have not ended.</summary>
    public bool WaitsForWorkers => _waitsForWorkers;

    /// <summary>The newest lines, oldest first.</summary>
    public string[] Lines
    {
        get
        {
            lock (_lock)
                return [.. _lines];
        }
    }

    /// <summary>The server's hook for the device's exceptions.</summary>
    public void DeviceThrew(DeviceExceptionContext context)
    {
        lock (_lock)
        {
            _exceptions.Add(context);
            // a hook of the test's own sees the exception
            if (options.Server.OnDeviceException is null)
                _unseen.Add(context);
        }
        options.Server.OnDeviceException?.Invoke(context);
    }

    /// <summary>All exceptions of the device; marks them as seen.</summary>
    public DeviceExceptionContext[] Accept()
    {
        lock (_lock)
        {
            _unseen.Clear();
            return [.. _exceptions];
        }
    }

    /// <summary>The exceptions that the test has not seen; marks them as seen.</summary>
    public DeviceExceptionContext[] TakeUnseen()
    {
        lock (_lock)
        {
            DeviceExceptionContext[] unseen = [.. _unseen];
            _unseen.Clear();
            return unseen;
        }
    }

    /// <summary>The same failure with the device's exception as the inner one, which the test has seen then; otherwise with the server's
    /// reason and its last lines.</summary>
    /// <param name="failure">Of the client.</param>
    /// <param name="unanswered">What is said of a command that was not answered.</param>
    public VfioUserException Explain(VfioUserException failure, string? unanswered)
    {
        lock (_lock)
        {
            if (_unseen.FindLastIndex(context => context.Command == failure.Command) is >= 0 and int at)
            {
                Exception cause = _unseen[at].Exception;
                _unseen.RemoveAt(at);
                return new VfioUserException(failure.Command, failure.Errno, cause);
            }
            string? reason = failure.Errno == Errno.ETIMEDOUT ? unanswered
                : failure.Reason ?? (_refusal is { } refusal && refusal.Command == failure.Command ? refusal.Reason : null);
            _refusal = null;
            return new VfioUserException(failure.Command, failure.Errno, reason, WithLog(""));
        }
    }

    /// <summary>A message with the last lines of the server's log.</summary>
    public string WithLog(string message)
    {
        string[] last = Lines[^Math.Min(LastLines, Lines.Length)..];
        return last.Length == 0 ? message : $"{message}{Environment.NewLine}The server's log ends with:{Environment.NewLine}  {string.Join(Environment.NewLine + "  ", last)}";
    }

    public bool IsEnabled(LogLevel logLevel) => logLevel >= options.LogLevel || logLevel == LogLevel.Debug || _next.IsEnabled(logLevel);

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => _next.BeginScope(state);

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (_next.IsEnabled(logLevel))
            _next.Log(logLevel, eventId, state, exception, formatter);
        Note(eventId, state);
        if (logLevel < options.LogLevel)
            return;
        string line = $"{logLevel} {eventId.Name}: {formatter(state, exception)}";
        Write(exception is null ? line : line + Environment.NewLine + exception);
    }

    // refusals after the first of their kind are logged at Debug, whatever the test wants to see
    private void Note<TState>(EventId eventId, TState state)
    {
        if (eventId.Id == WorkersWait)
            _waitsForWorkers = true;
        if (eventId.Id is not (Refused or FirstRefused) || state is not IReadOnlyList<KeyValuePair<string, object?>> values)
            return;
        Dictionary<string, object?> named = values.DistinctBy(value => value.Key, StringComparer.Ordinal).ToDictionary(StringComparer.Ordinal);
        if (named.GetValueOrDefault(nameof(Command)) is not Command command || named.GetValueOrDefault("Reason")?.ToString() is not { } reason)
            return;
        lock (_lock)
            _refusal = (command, reason);
    }

    private void Write(string line)
    {
        lock (_lock)
        {
            if (_lines.Count == MaxLines)
                _lines.Dequeue();
            _lines.Enqueue(line);
            try
            {
                _output?.Invoke(line);
            }
            catch (Exception e)
            {
                // test frameworks throw for output after a test's end; the server must go on
                _output = null;
                _lines.Enqueue($"The test's output took no more: {e.Message}");
            }
        }
    }
}
