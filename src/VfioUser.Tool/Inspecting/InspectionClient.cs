using System.Net.Sockets;
using System.Text.Json;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;
using VfioUser.Tool.CommandLine;

namespace VfioUser.Tool.Inspecting;

/// <summary>A connection to a server's inspection socket. The server is untrusted: its answers are bounded in size and time. One thread.</summary>
internal sealed class InspectionClient : IDisposable
{
    private const int MaxAnswer = 8 << 20;
    private const int MaxPages = 1000;

    private readonly Socket _socket;
    private readonly TimeSpan _timeout;
    private readonly CancellationToken _stop;
    private readonly CancellationTokenRegistration _stopping;
    private byte[] _received = new byte[64 << 10];
    private int _count;

    private InspectionClient(SafeSocketHandle socket, TimeSpan timeout, CancellationToken stop)
    {
        _socket = new Socket(socket);
        _timeout = timeout;
        _stop = stop;
        _stopping = stop.UnsafeRegister(static socket => SocketCalls.Shutdown(((Socket)socket!).SafeHandle), _socket);
    }

    /// <summary>Connects.</summary>
    /// <exception cref="IOException">No server listens there.</exception>
    public static InspectionClient Connect(string socket, TimeSpan timeout, CancellationToken stop) =>
        new(Endpoints.Connect(socket, timeout, stop), timeout, stop);

    /// <summary>All answers to a request for a topic, one after another.</summary>
    /// <exception cref="ToolException">The server refuses, disconnects, or does not answer sensibly or in time.</exception>
    public IEnumerable<InspectionAnswer> Show(string topic)
    {
        int from = 0;
        for (int page = 0; page < MaxPages; page++)
        {
            InspectionAnswer answer = Ask(topic, from);
            yield return answer;
            if (answer.Next is not { } next)
                yield break;
            if (next <= from)
                throw new ToolException("The server's answers do not end.");
            from = next;
        }
    }

    public void Dispose()
    {
        _stopping.Dispose();
        _socket.Dispose();
    }

    private InspectionAnswer Ask(string topic, int from)
    {
        byte[] request = [.. JsonSerializer.SerializeToUtf8Bytes(new InspectionRequest(topic, from), InspectionJson.Default.InspectionRequest), (byte)'\n'];
        try
        {
            _socket.Send(request);
            InspectionAnswer answer = JsonSerializer.Deserialize(ReceiveLine(), InspectionJson.Default.InspectionAnswer) ?? throw new ToolException("The server's answer is null.");
            return answer.Error is { } error ? throw new ToolException($"The server refuses: {PrintableText.Of(error)}.") : answer;
        }
        catch (SocketException)
        {
            _stop.ThrowIfCancellationRequested();
            throw Disconnected();
        }
        catch (JsonException)
        {
            throw new ToolException("The server's answer is not that of an inspection socket.");
        }
    }

    // valid until the next call
    private ReadOnlySpan<byte> ReceiveLine()
    {
        // the client asks again only when it has an answer, so nothing is left of the one before
        _count = 0;
        Deadline deadline = Deadline.After(_timeout);
        while (true)
        {
            if (!PollCalls.WaitReadable(_socket.SafeHandle, (int)Math.Ceiling(deadline.Left.TotalMilliseconds)))
                throw new ToolException("The server did not answer in time (see --server-timeout).");
            _stop.ThrowIfCancellationRequested();
            int received = _socket.Receive(_received.AsSpan(_count));
            if (received == 0)
                throw Disconnected();
            int end = _received.AsSpan(_count, received).IndexOf((byte)'\n');
            if (end >= 0)
                return _received.AsSpan(0, _count + end);
            _count += received;
            if (_count == MaxAnswer)
                throw new ToolException($"The server's answer has more than {MaxAnswer} bytes.");
            if (_count == _received.Length)
                Array.Resize(ref _received, 2 * _received.Length);
        }
    }

    private static ToolException Disconnected() => new("The server disconnected: is this its inspection socket, VfioUserServerOptions.InspectionPath?");
}
