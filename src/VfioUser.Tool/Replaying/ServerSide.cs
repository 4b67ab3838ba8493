using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;
using VfioUser.Tool.Recording;
using VfioUser.Tool.Tracing;

namespace VfioUser.Tool.Replaying;

/// <summary>The connection to a server that a recording is played to: receives its messages, and answers its commands as recorded.</summary>
/// <remarks>A thread for each socket; public members are for the thread that plays, except <see cref="End"/>.</remarks>
internal sealed class ServerSide : IDisposable
{
    private static readonly MessageSocketOptions Options = new() { MaxMessageFds = ControlMessage.MaxReceived, MaxMessageSize = 16 << 20 };

    // bytes of replies that no one has waited for yet, with this overhead for each
    private const long MaxKept = 64 << 20;
    private const int OverheadOfReply = 256;

    private readonly object _gate = new();
    private readonly MessageSocket _main;
    private readonly List<Expected> _expected;
    private readonly Action<string> _differs;
    private readonly Dictionary<ushort, Queue<Recorded>> _replies = [];
    private readonly Thread _receiver;
    private MessageSocket? _twin;
    private Thread? _twinReceiver;
    private long _kept;
    private bool _disconnected;

    /// <summary>Takes ownership of the socket.</summary>
    /// <param name="socket">Connected to the server.</param>
    /// <param name="expected">The recorded commands of the server.</param>
    /// <param name="differs">Called with each difference, on any thread.</param>
    public ServerSide(System.Net.Sockets.SafeSocketHandle socket, List<Expected> expected, Action<string> differs)
    {
        _main = new MessageSocket(socket, Options);
        _expected = expected;
        _differs = differs;
        _receiver = Start(_main, Way.ToClient);
    }

    /// <summary>Sends bytes of the client's.</summary>
    /// <returns>False when the server has disconnected, or does not read in time.</returns>
    public bool Send(ReadOnlySpan<byte> bytes, SafeHandle[] fds, bool twin, TimeSpan timeout) =>
        (twin ? _twin : _main)?.Send(bytes, default, fds, Deadline.After(timeout)) == Errno.None;

    /// <summary>Waits for a reply.</summary>
    /// <returns>Null on timeout, or when the server has disconnected.</returns>
    public Recorded? WaitForReply(ushort id, TimeSpan timeout)
    {
        Recorded? reply = null;
        WaitUntil(() => TryTake(id, out reply), timeout);
        return reply;
    }

    /// <summary>Waits for a command.</summary>
    public bool WaitFor(Expected expected, TimeSpan timeout) => WaitUntil(() => expected.HasArrived, timeout);

    /// <summary>Ends the connection: all waits for the server fail. Any thread.</summary>
    public void End() => _main.Shutdown();

    public void Dispose()
    {
        End();
        _receiver.Join();
        _twin?.Shutdown();
        _twinReceiver?.Join();
        _main.Dispose();
        _twin?.Dispose();
    }

    private bool TryTake(ushort id, out Recorded? reply)
    {
        reply = null;
        if (!_replies.TryGetValue(id, out Queue<Recorded>? queue) || !queue.TryDequeue(out reply))
            return false;
        _kept -= reply.Bytes.Length + OverheadOfReply;
        return true;
    }

    private bool WaitUntil(Func<bool> condition, TimeSpan timeout)
    {
        Deadline deadline = Deadline.After(timeout);
        lock (_gate)
        {
            while (!condition())
            {
                TimeSpan left = deadline.Left;
                if (_disconnected || left <= TimeSpan.Zero)
                    return false;
                Monitor.Wait(_gate, left);
            }
            return true;
        }
    }

    private Thread Start(MessageSocket socket, Way way)
    {
        Thread thread = new(() => Receive(socket, way)) { Name = "vfio-user replay", IsBackground = true };
        thread.Start();
        return thread;
    }

    private void Receive(MessageSocket socket, Way way)
    {
        try
        {
            while (socket.Receive(wait: true) != ReceiveStatus.Closed)
            {
                while (socket.TryParse(out ReceivedMessage message))
                    Take(socket, way, message);
            }
        }
        catch (FloodException)
        {
            _differs($"the server sends replies that no command awaits: more than {MaxKept >> 20} MiB");
        }
        catch (Exception e) when (e is ProtocolException or IOException)
        {
            _differs($"the server sends an invalid message: {e.Message}");
        }
        lock (_gate)
        {
            _disconnected |= way == Way.ToClient;
            Monitor.PulseAll(_gate);
        }
    }

    private void Take(MessageSocket socket, Way way, in ReceivedMessage message)
    {
        using FdList? fds = message.Fds;
        SafeHandle[] taken = [.. Enumerable.Range(0, message.FdCount).Select(index => fds!.Take(index))];
        try
        {
            byte[] bytes = message.Buffer.AsSpan(message.HeaderOffset, (int)message.Header.MessageSize).ToArray();
            Recorded live = new(RecordKind.Message, way, 0, default, [.. taken.Select(FdFacts.Of)], bytes);
            if (message.Header.IsReply)
            {
                if (message.Header is { Command: Command.Version, IsError: false })
                    OpenTwin(message.Payload, taken);
                Put(live);
            }
            else
            {
                Answer(socket, live);
            }
        }
        finally
        {
            foreach (SafeHandle fd in taken)
                fd.Dispose();
        }
    }

    private void OpenTwin(ReadOnlySpan<byte> version, SafeHandle[] fds)
    {
        if (_twin is null && VersionMessage.TryParse(version, out _, out Capabilities capabilities, out _) == Errno.None
            && TwinSocketOutcome.Of(capabilities, fds.Length).FdIndex is { } index && SocketCalls.IsConnectedStream((SafeFileHandle)fds[index]))
        {
            _twin = new MessageSocket(SocketCalls.Duplicate(fds[index]), Options);
            _twinReceiver = Start(_twin, Way.ToClient | Way.Twin);
        }
    }

    private void Put(Recorded reply)
    {
        lock (_gate)
        {
            ushort id = reply.Header.MessageId;
            if (!_replies.TryGetValue(id, out Queue<Recorded>? queue))
                _replies[id] = queue = new Queue<Recorded>();
            queue.Enqueue(reply);
            _kept += reply.Bytes.Length + OverheadOfReply;
            Monitor.PulseAll(_gate);
            if (_kept > MaxKept)
                throw new FloodException();
        }
    }

    // the server's ids are its own, and it may send its commands in another order
    private void Answer(MessageSocket socket, Recorded command)
    {
        MessageHeader header = command.Header;
        Expected? match;
        string? difference = null;
        lock (_gate)
        {
            match = _expected.Find(one => Fits(one, command, command.Payload.Length)) ?? _expected.Find(one => Fits(one, command, DmaAccess.WireSize));
            if (match is not null)
            {
                difference = Differences.Between(match.Command, command);
                match.HasArrived = true;
                match.Differs = difference is not null;
            }
            Monitor.PulseAll(_gate);
        }
        if (match is null)
            _differs($"the server sends {Differences.Name(command)}, which was not recorded");
        else if (difference is not null)
            _differs($"record {match.Number}, {Differences.Name(match.Command)}: {difference}");
        if (header.NoReply || (match is not null && match.Answer is null))
            return;
        byte[] answer = match?.Answer?.Bytes.ToArray() ?? new byte[MessageHeader.WireSize];
        MessageHeader recorded = WireFormat.Read<MessageHeader>(answer);
        WireFormat.Write(answer, match is null
            ? new MessageHeader(header.MessageId, header.Command, MessageHeader.WireSize, MessageFlags.Reply | MessageFlags.Error, (uint)Errno.EINVAL)
            : recorded with { MessageId = header.MessageId });
        // if the server has disconnected, the receiving thread notices
        _ = socket.Send(answer);
    }

    /// <summary>The server sends more replies than can be kept.</summary>
    private sealed class FloodException : Exception;

    private static bool Fits(Expected expected, Recorded command, int length) => !expected.HasArrived
        && expected.Command.Header.Command == command.Header.Command
        && expected.Command.Payload.Length >= length && command.Payload.Length >= length
        && expected.Command.Payload[..length].SequenceEqual(command.Payload[..length]);
}
