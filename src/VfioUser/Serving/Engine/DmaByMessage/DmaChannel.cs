using VfioUser.Protocol;

namespace VfioUser;

/// <summary>DMA_READ and DMA_WRITE: splits an access into pieces that the client can reply to at once, and keeps several of them
/// in flight.</summary>
/// <remarks>Any thread.</remarks>
/// <param name="channel">Of the twin socket if there is one, otherwise of the main socket. It limits how many are in flight.</param>
/// <param name="maxTransfer">Most bytes per command.</param>
/// <param name="beforeCall">Called before a call waits: sends replies that the client may be waiting for.</param>
/// <param name="trouble">Logs failures.</param>
internal sealed class DmaChannel(MessageChannel channel, int maxTransfer, Action beforeCall, DmaTrouble trouble) : IDmaMessages
{
    // A reply to DMA_WRITE has 12 bytes by the specification, 16 from QEMU and libvfio-user, or none.
    private const int ShortWriteReply = 12;

    // of one access; the channel limits all accesses together
    private const int MaxInFlight = 64;

    // enough for a client that replies meanwhile, and well below QEMU's timeout of five seconds
    private static readonly TimeSpan WhileReset = TimeSpan.FromSeconds(1);

    private bool _isReset; // Command thread

    /// <summary>The device is being reset: until <see cref="ResetIsOver"/>, all accesses together must end within a second.</summary>
    /// <remarks>QEMU replies to DMA messages only after it has the reply to its reset. A device that waits for its threads in the
    /// reset would otherwise wait for the timeouts of their accesses.</remarks>
    public void ResetBegins()
    {
        _isReset = true;
        channel.LimitCalls(WhileReset);
    }

    /// <summary>The reset is done: accesses have their normal timeout again.</summary>
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

    // Replies may arrive in any order; they are processed in the order of the commands.
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
            while (result && started < pieces && started - finished < MaxInFlight)
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
            if (IsGone(result))
            {
                // the client will not reply to the others either
                channel.Abandon(id);
                finished++;
                continue;
            }
            // also after a refusal: no piece must be in flight when the access ends
            DmaAccess piece = Piece(address, length, finished);
            using Reply reply = channel.Finish(id);
            DmaResult answer = write
                ? FinishWrite(reply, piece)
                : FinishRead(reply, piece, destination.Slice(finished * maxTransfer, (int)piece.Count));
            if (result || IsGone(answer))
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

    // the client will not reply to anything else either
    private static bool IsGone(DmaResult result) => result.Status is DmaStatus.TimedOut or DmaStatus.Cancelled or DmaStatus.Disconnected;

    private static Command CommandOf(bool write) => write ? Command.DmaWrite : Command.DmaRead;
}
