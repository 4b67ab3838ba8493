using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace VfioUser.Vm.Tests.Matrix;

/// <summary>Keeps what is logged, from information on.</summary>
internal sealed class QueueLogger(ConcurrentQueue<string> lines) : ILogger
{
    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (IsEnabled(logLevel))
        {
            lines.Enqueue($"{logLevel}: {formatter(state, exception)}");
        }
    }
}
