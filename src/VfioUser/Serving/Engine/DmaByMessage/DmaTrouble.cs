using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Failures of DMA_READ and DMA_WRITE: logs the first of each kind, and converts them to results for the device.</summary>
/// <remarks>Any thread.</remarks>
internal sealed class DmaTrouble(ServerLog log, TimeSpan timeout)
{
    private int _logged;

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

    /// <summary>The result of an access that failed with an errno of the client or of the channel.</summary>
    /// <param name="channel">The channel that was used.</param>
    /// <param name="command">DmaRead or DmaWrite.</param>
    /// <param name="access">The access.</param>
    /// <param name="errno">Not None.</param>
    /// <param name="reply">The header of the reply; default if none arrived.</param>
    public DmaResult Of(MessageChannel channel, Command command, in DmaAccess access, Errno errno, in MessageHeader reply)
    {
        if (reply.IsError)
        {
            if (reply.Error == 0)
                Broke(command, reply, "has the Error bit but no error number");
            else if (IsFirst(command == Command.DmaRead ? Kinds.ReadRefused : Kinds.WriteRefused))
                log.DmaRefused(command, access.Count, new Iova(access.Address), errno);
            return Result(DmaStatus.Refused, access, errno);
        }
        if (reply.MessageSize != 0)
        {
            Broke(command, reply, "has descriptors, which it must not have");
            return Result(DmaStatus.BadReply, access);
        }
        switch (errno)
        {
            case Errno.ETIMEDOUT:
                log.DmaTimedOut(IsFirst(Kinds.TimedOut), command, access.Count, new Iova(access.Address), timeout);
                return Result(DmaStatus.TimedOut, access);
            case Errno.ECANCELED: // by a reset of the device, which needs no log message
                return Result(DmaStatus.Cancelled, access);
            case Errno.ENOMEM:
                if (IsFirst(Kinds.TooManyCommands))
                    log.DmaBehindCommands(command, access.Count, new Iova(access.Address));
                return Result(DmaStatus.BadReply, access);
            default:
                if (channel.Fault is { } fault && IsFirst(Kinds.StreamBroken))
                    log.DmaStreamBroken(fault.Message);
                return Result(DmaStatus.Disconnected, access);
        }
    }

    /// <summary>The result of an access whose reply is not an error, but does not match the command.</summary>
    public DmaResult Malformed(in MessageHeader reply, in DmaAccess asked, ReadOnlySpan<byte> payload)
    {
        int data = payload.Length - DmaAccess.WireSize;
        int expected = reply.Command == Command.DmaRead ? (int)asked.Count : 0;
        if (data != expected || !WireFormat.TryRead(payload, out DmaAccess answered))
            Broke(reply.Command, reply, $"has a payload of {payload.Length} bytes instead of {DmaAccess.WireSize + expected}");
        else
            Broke(reply.Command, reply, $"is for {answered.Count} bytes at 0x{answered.Address:x}, not for {asked.Count} at 0x{asked.Address:x}");
        return Result(DmaStatus.BadReply, asked);
    }

    /// <summary>Logs a reply that matches no call, and is dropped.</summary>
    /// <param name="reply">Its header.</param>
    /// <param name="awaited">The command of the pending call with its message ID, or null.</param>
    public void Unmatched(MessageHeader reply, Command? awaited)
    {
        if (awaited is not { } command)
            log.ReplyDropped(reply.Command, reply.MessageId);
        else
            Broke(Kinds.Unmatched, command, reply, $"is a reply to {reply.Command}");
    }

    private void Broke(Command command, in MessageHeader reply, string problem) => Broke(Kinds.Malformed, command, reply, problem);

    private void Broke(Kinds kind, Command command, in MessageHeader reply, string problem) =>
        log.DmaReplyMalformed(IsFirst(kind), command, reply.MessageId, reply.MessageSize, problem);

    private static DmaResult Result(DmaStatus status, in DmaAccess access, Errno errno = Errno.None) =>
        new(status, new Iova(access.Address), errno);

    private bool IsFirst(Kinds kind) => (Interlocked.Or(ref _logged, (int)kind) & (int)kind) == 0;
}
