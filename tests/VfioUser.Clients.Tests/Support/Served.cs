using Microsoft.Extensions.Logging;
using VfioUser.Protocol.Interop;

namespace VfioUser.Clients.Tests;

/// <summary>A device behind a server that takes one client after another.</summary>
internal sealed class Served : IDisposable
{
    private readonly VfioUserServer _server;
    private readonly Task _running;
    private readonly Failures _log = new();

    public Served(ServedBy by, PciDevice device, VfioUserServerOptions? options = null)
    {
        _server = VfioUserServer.BindAbstract($"vfio-user-client-test-{Guid.NewGuid():N}", (options ?? new VfioUserServerOptions()) with { Logger = _log });
        _running = by == ServedBy.OwnThread ? _server.RunAsync(device) : Poll(_server.CreatePoller(device));
    }

    public string Address => _server.Address;

    public void Dispose()
    {
        _server.Dispose();
        _running.ShouldEnd();
        _log.Texts.Should().BeEmpty("no client should bring out a failure of this side");
    }

    private static Task<bool> Poll(DevicePoller poller) => Bound.Start(() =>
    {
        using (poller)
        {
            PollResult result = default;
            while ((result.Events & PollEvents.Ended) == 0)
            {
                PollCalls.WaitReadable(poller.Handle, (int)(2 * Bound.Timeout).TotalMilliseconds).Should().BeTrue("something was due");
                result = poller.Process(maxCommands: 8);
            }
        }
        return true;
    });

    /// <summary>Only what the server says of itself at error level.</summary>
    private sealed class Failures : ILogger
    {
        private readonly List<string> _texts = [];

        public IReadOnlyList<string> Texts
        {
            get
            {
                lock (_texts)
                    return [.. _texts];
            }
        }

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Error;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (!IsEnabled(logLevel))
                return;
            lock (_texts)
                _texts.Add(formatter(state, exception));
        }
    }
}
