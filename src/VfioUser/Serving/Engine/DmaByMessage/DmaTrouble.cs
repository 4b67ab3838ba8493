using VfioUser.Protocol;

namespace VfioUser;

/// <summary>What goes wrong where a client is asked for its memory by message: told to the log, the first of each kind, and to
/// the device.</summary>
/// <remarks>Any thread.</remarks>
internal sealed class DmaTrouble(ServerLog log, TimeSpan timeout)
{
    private int _told;

    [Flags]
    private enum Kinds
    {
        ReadRefused = 1 << 0,
        WriteRefused = 1 << 1,
        TimedOut = 1 << 2,
        Malformed = 1 << 3,
        Unmatched = 1 << 4,
        StreamBroken = 1 << 5,
        TooManyCommands = 1 << 6,
    }

    /// <summary>An access that failed with an errno, the client's or the channel's.</summary>
    /// <param name="channel">What it went by.</param>
    /// <param name="command">DmaRead or DmaWrite.</param>
    /// <param name="access">What was asked for.</param>
    /// <param name="errno">Not None.</param>
    /// <param name="reply">Default when none came.</param>
    public DmaResult Of(MessageChannel channel, Command command, in DmaAccess access, Errno errno, in MessageHeader reply)
    {
        if (reply.IsError)
        {
            if (reply.Error == 0)
                Broke(command, reply, "has the Error bit and no error number");
            else if (IsFirst(command == Command.DmaRead ? Kinds.ReadRefused : Kinds.WriteRefused))
                log.DmaRefused(command, access.Count, new Iova(access.Address), errno);
            return DmaResult.Refused;
        }
        if (reply.MessageSize != 0)
        {
            Broke(command, reply, "brought descriptors that nobody wants");
            return DmaResult.Failed;
        }
        switch (errno)
        {
            case Errno.ETIMEDOUT:
                log.DmaTimedOut(IsFirst(Kinds.TimedOut), command, access.Count, new Iova(access.Address), timeout);
                return DmaResult.TimedOut;
            case Errno.ECANCELED: // for the device's reset, of which nobody need be told
                return DmaResult.TimedOut;
            case Errno.ENOMEM:
                if (IsFirst(Kinds.TooManyCommands))
                    log.DmaBehindCommands(command, access.Count, new Iova(access.Address));
                return DmaResult.Failed;
            default:
                if (channel.Fault is { } fault && IsFirst(Kinds.StreamBroken))
                    log.DmaStreamBroken(fault.Message);
                return DmaResult.Disconnected;
        }
    }

    /// <summary>A reply without error that is no answer to what was asked.</summary>
    public DmaResult Malformed(in MessageHeader reply, in DmaAccess asked, ReadOnlySpan<byte> payload)
    {
        int data = payload.Length - DmaAccess.WireSize;
        int expected = reply.Command == Command.DmaRead ? (int)asked.Count : 0;
        if (data != expected || !WireFormat.TryRead(payload, out DmaAccess answered))
            Broke(reply.Command, reply, $"has {payload.Length} bytes behind its header where {DmaAccess.WireSize + expected} were due");
        else
            Broke(reply.Command, reply, $"speaks of {answered.Count} bytes at 0x{answered.Address:x}, and asked for were {asked.Count} at 0x{asked.Address:x}");
        return DmaResult.Failed;
    }

    /// <summary>A reply that belongs to nothing.</summary>
    /// <param name="reply">It is dropped.</param>
    /// <param name="awaited">The command that was sent with this number and waits for its reply, if there is one.</param>
    public void Unmatched(MessageHeader reply, Command? awaited)
    {
        if (awaited is not { } command)
            log.ReplyDropped(reply.Command, reply.MessageId);
        else
            Broke(Kinds.Unmatched, command, reply, $"says that it answers {reply.Command}");
    }

    private void Broke(Command command, in MessageHeader reply, string problem) => Broke(Kinds.Malformed, command, reply, problem);

    private void Broke(Kinds kind, Command command, in MessageHeader reply, string problem) =>
        log.DmaReplyMalformed(IsFirst(kind), command, reply.MessageId, reply.MessageSize, problem);

    private bool IsFirst(Kinds kind) => (Interlocked.Or(ref _told, (int)kind) & (int)kind) == 0;
}
