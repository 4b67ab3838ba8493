using System.Runtime.InteropServices;
using VfioUser.Protocol;

namespace VfioUser.Tool.Tracing;

/// <summary>Passes on the messages of one socket to another, until the stream ends. One thread.</summary>
/// <remarks>It holds one message at a time: while the receiver does not read, nothing more is received.</remarks>
internal sealed class Pump(Interposer between, Way way, MessageSocket from, MessageSocket to)
{
    // bytes to pass on unparsed: of a message that is too long to be held, or of a stream that cannot be parsed
    private long _bytesOfNoMessage;

    /// <summary>Returns when the sender's stream ends, or the receiver has disconnected.</summary>
    public void Run()
    {
        while (from.Receive(wait: true) != ReceiveStatus.Closed)
        {
            if (!PassOn())
                return;
        }
        // an incomplete message at the end of the stream
        _bytesOfNoMessage = long.MaxValue;
        PassOnPieces();
    }

    private bool PassOn()
    {
        while (true)
        {
            if (!PassOnPieces())
                return false;
            try
            {
                if (!from.TryParse(out ReceivedMessage message))
                    return true;
                if (!PassOn(message))
                    return false;
            }
            catch (ProtocolException e)
            {
                // with a size below the header's own, the start of the next message is unknown
                uint size = e.Header?.MessageSize ?? 0;
                _bytesOfNoMessage = size < MessageHeader.WireSize ? long.MaxValue : size;
            }
        }
    }

    private bool PassOn(in ReceivedMessage message)
    {
        using FdList? fds = message.Fds;
        MessageHeader header = message.Header;
        if (message.FdProblem != Errno.None)
            throw new IOException($"The descriptors of {header.Command} (message {header.MessageId}) were lost on the way: {message.FdProblem}.");
        ReadOnlySpan<byte> bytes = message.Buffer.AsSpan(message.HeaderOffset, (int)header.MessageSize);
        SafeHandle[] taken = Take(fds);
        try
        {
            between.Output.Message(between.Client, way, isWhole: true, bytes, [.. taken.Select(FdFacts.Of)]);
            Verdict verdict = between.Stage?.Judge(way, header) ?? new Verdict(Fate.PassOn);
            switch (verdict.Fate)
            {
                case Fate.Swallow:
                    return true;
                case Fate.Refuse:
                    return Refuse(header, verdict.Errno);
                case Fate.Close:
                    between.Shutdown();
                    return false;
            }
            if (way == Way.ToClient && header is { Command: Command.Version, IsReply: true, IsError: false })
                between.InterposeTwin(message.Payload, taken);
            return Send(bytes, taken);
        }
        finally
        {
            foreach (SafeHandle fd in taken)
                fd.Dispose();
        }
    }

    private bool Refuse(in MessageHeader header, Errno errno)
    {
        if (header.NoReply)
            return true;
        MessageHeader reply = new(header.MessageId, header.Command, MessageHeader.WireSize, MessageFlags.Reply | MessageFlags.Error, (uint)errno);
        Span<byte> bytes = stackalloc byte[MessageHeader.WireSize];
        WireFormat.Write(bytes, reply);
        between.Output.Message(between.Client, way ^ Way.ToClient, isWhole: true, bytes, []);
        return from.Send(bytes);
    }

    private bool PassOnPieces()
    {
        while (_bytesOfNoMessage > 0)
        {
            ReadOnlySpan<byte> piece = from.TakeUnparsed((int)Math.Min(_bytesOfNoMessage, int.MaxValue), out FdList? fds);
            using FdList? owner = fds;
            if (piece.IsEmpty)
                return true;
            if (_bytesOfNoMessage != long.MaxValue)
                _bytesOfNoMessage -= piece.Length;
            SafeHandle[] taken = Take(fds);
            try
            {
                between.Output.Message(between.Client, way, isWhole: false, piece, [.. taken.Select(FdFacts.Of)]);
                if (!Send(piece, taken))
                    return false;
            }
            finally
            {
                foreach (SafeHandle fd in taken)
                    fd.Dispose();
            }
        }
        return true;
    }

    private bool Send(ReadOnlySpan<byte> bytes, SafeHandle[] fds) => to.Send(bytes, default, fds, Deadline.Never) switch
    {
        Errno.None => true,
        Errno.ENOTCONN => false,
        Errno errno => throw new IOException($"{fds.Length} descriptors cannot be passed on: {errno}."),
    };

    private static SafeHandle[] Take(FdList? fds)
    {
        SafeHandle[] taken = new SafeHandle[fds?.Count ?? 0];
        for (int i = 0; i < taken.Length; i++)
            taken[i] = fds!.Take(i);
        return taken;
    }
}
