using System.Net.Sockets;
using Microsoft.Extensions.Logging;

namespace VfioUser.Hosting.Tests;

/// <summary>Makes a server fail at its first client: it can neither judge nor log that.</summary>
internal sealed class FailingServer : ILogger
{
    private const int SessionFailed = 8;
    private int _isJudged;

    public VfioUserServerOptions Options => new() { AcceptPeer = Accept, Logger = this };

    public static void ConnectTo(string path)
    {
        using Socket client = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        client.Connect(new UnixDomainSocketEndPoint(path));
    }

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (eventId.Id == SessionFailed)
            throw new IOException("the log is full");
    }

    private bool Accept(PeerCredentials peer) =>
        Interlocked.Exchange(ref _isJudged, 1) != 0 ? true : throw new InvalidOperationException("the judge is out");
}
