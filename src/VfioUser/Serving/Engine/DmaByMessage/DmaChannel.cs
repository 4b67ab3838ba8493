using VfioUser.Protocol;

namespace VfioUser;

/// <summary>The server's own commands: reads and writes of guest memory, in pieces that the client can answer at once, several of
/// them under way.</summary>
/// <remarks>Any thread.</remarks>
/// <param name="channel">The twin socket's when there is one, else the main one. It bounds what is under way.</param>
/// <param name="maxTransfer">Bytes in one command.</param>
/// <param name="beforeCall">Called before the caller waits: replies that are still to be sent must not wait with it.</param>
/// <param name="trouble">Told of what goes wrong.</param>
internal sealed class DmaChannel(MessageChannel channel, int maxTransfer, Action beforeCall, DmaTrouble trouble) : IDmaMessages
{
    // What the reply to a write holds besides nothing: 12 bytes in the specification, 16 in QEMU and libvfio-user.
    private const int ShortWriteReply = 12;

    // one access's; all of them together are the channel's to bound
    private const int MaxInFlight = 64;

    // enough for a client that answers meanwhile, and far from the five seconds after which QEMU gives up
    private static readonly TimeSpan WhileReset = TimeSpan.FromSeconds(1);

    private bool _isReset; // the Command thread's

    /// <summary>The device is being reset: all accesses together have a second, until <see cref="ResetIsOver"/>.</summary>
    /// <remarks>A client that answers for its memory only when the reset was answered, as QEMU does, would keep a device that
    /// waits for its threads to come to their ends.</remarks>
    public void ResetBegins()
    {
        _isReset = true;
        channel.LimitCalls(WhileReset);
    }

    /// <summary>Accesses have all their time again.</summary>
    public void ResetIsOver()
    {
        if (!_isReset)
            return;
        _isReset = false;
        channel.LiftLimit();
    }

    public void BeforeWaiting() => beforeCall();

    public DmaResult Read(ulong address, Span<byte> destination)
    {
        beforeCall();
        if (destination.Length > maxTransfer)
            return InPieces(address, destination, []);
        Span<byte> request = stackalloc byte[DmaAccess.WireSize];
        DmaAccess access = new(address, (ulong)destination.Length);
        WireFormat.Write(request, access);
        using Reply reply = channel.Call(Command.DmaRead, request);
        return FinishRead(reply, access, destination);
    }

    public DmaResult Write(ulong address, ReadOnlySpan<byte> source)
    {
        beforeCall();
        if (source.Length > maxTransfer)
            return InPieces(address, [], source);
        Span<byte> request = stackalloc byte[DmaAccess.WireSize];
        DmaAccess access = new(address, (ulong)source.Length);
        WireFormat.Write(request, access);
        using Reply reply = channel.Call(Command.DmaWrite, request, source);
        return FinishWrite(reply, access);
    }

    // The answers may come in any order; they are looked at in the order of the questions.
    private DmaResult InPieces(ulong address, Span<byte> destination, ReadOnlySpan<byte> source)
    {
        bool write = destination.IsEmpty;
        long length = write ? source.Length : destination.Length;
        int pieces = (int)((length + maxTransfer - 1) / maxTransfer);
        Span<ushort> ids = stackalloc ushort[MaxInFlight];
        Span<byte> request = stackalloc byte[DmaAccess.WireSize];
        DmaResult result = DmaResult.Done;
        int started = 0;
        int finished = 0;
        while (true)
        {
            while (result == DmaResult.Done && started < pieces && started - finished < MaxInFlight)
            {
                DmaAccess next = Piece(address, length, started);
                WireFormat.Write(request, next);
                ReadOnlySpan<byte> data = write ? source.Slice(started * maxTransfer, (int)next.Count) : [];
                bool isOnlyOne = started == finished;
                if (channel.TryStart(CommandOf(write), request, data, wait: isOnlyOne, out ids[started % MaxInFlight], out Errno failure))
                    started++;
                else if (isOnlyOne || failure != Errno.EAGAIN)
                    result = trouble.Of(channel, CommandOf(write), next, failure, default);
                else
                    break;
            }
            if (started == finished)
                return result;
            ushort id = ids[finished % MaxInFlight];
            if (result is DmaResult.TimedOut or DmaResult.Disconnected)
            {
                // who does not answer one does not answer the others
                channel.Abandon(id);
                finished++;
                continue;
            }
            // after a refusal too: no piece is under way when the access is over
            DmaAccess piece = Piece(address, length, finished);
            using Reply reply = channel.Finish(id);
            DmaResult answer = write
                ? FinishWrite(reply, piece)
                : FinishRead(reply, piece, destination.Slice(finished * maxTransfer, (int)piece.Count));
            if (result == DmaResult.Done || answer is DmaResult.TimedOut or DmaResult.Disconnected)
                result = answer;
            finished++;
        }
    }

    private DmaAccess Piece(ulong address, long length, int index)
    {
        long offset = (long)index * maxTransfer;
        return new DmaAccess(address + (ulong)offset, (ulong)Math.Min(length - offset, maxTransfer));
    }

    private DmaResult FinishRead(in Reply reply, in DmaAccess access, Span<byte> destination)
    {
        if (reply.Errno != Errno.None)
            return trouble.Of(channel, Command.DmaRead, access, reply.Errno, reply.Header);
        ReadOnlySpan<byte> payload = reply.Payload;
        if (payload.Length != DmaAccess.WireSize + destination.Length || WireFormat.Read<DmaAccess>(payload) != access)
            return trouble.Malformed(reply.Header, access, payload);
        payload[DmaAccess.WireSize..].CopyTo(destination);
        return DmaResult.Done;
    }

    private DmaResult FinishWrite(in Reply reply, in DmaAccess access)
    {
        if (reply.Errno != Errno.None)
            return trouble.Of(channel, Command.DmaWrite, access, reply.Errno, reply.Header);
        ReadOnlySpan<byte> payload = reply.Payload;
        bool echoes = payload.Length switch
        {
            0 => true,
            ShortWriteReply => WireFormat.Read<ulong>(payload) == access.Address && WireFormat.Read<uint>(payload[sizeof(ulong)..]) == access.Count,
            DmaAccess.WireSize => WireFormat.Read<DmaAccess>(payload) == access,
            _ => false,
        };
        return echoes ? DmaResult.Done : trouble.Malformed(reply.Header, access, payload);
    }

    private static Command CommandOf(bool write) => write ? Command.DmaWrite : Command.DmaRead;
}
