using System.Buffers.Binary;
using System.Threading.Channels;

namespace VfioUser.PowerLoss.Tests.Medium;

/// <summary>A client of the server: requests that are there together are carried out in any order.</summary>
internal sealed class FaultConnection(Stream stream, VolatileMedium medium, Random random)
{
    private const ushort Flags = 1 | 1 << 2 | 1 << 3 | 1 << 5 | 1 << 6; // flush, FUA, trim, write zeroes
    private const int Most = 16;

    private sealed record Request(ushort Flags, ushort Type, byte[] Cookie, long Offset, int Length, byte[] Data, long Answers);

    /// <returns>False if the power was cut, true if the client has left.</returns>
    public async Task<bool> RunAsync()
    {
        await NegotiateAsync();
        Channel<Request> requests = Channel.CreateBounded<Request>(Most);
        Task receiving = ReceiveAsync(requests.Writer);
        List<Request> waiting = [];
        while (await requests.Reader.WaitToReadAsync())
        {
            while (requests.Reader.TryRead(out Request? request))
                waiting.Add(request);
            while (waiting.Count > 0)
            {
                int at = random.Next(waiting.Count);
                if (!await AnswerAsync(waiting[at]))
                    return false;
                waiting.RemoveAt(at);
                while (requests.Reader.TryRead(out Request? request))
                    waiting.Add(request);
            }
        }
        await receiving;
        return true;
    }

    private async Task<bool> AnswerAsync(Request request)
    {
        byte[] answer = new byte[16 + (request.Type == 0 ? request.Length : 0)];
        BinaryPrimitives.WriteUInt32BigEndian(answer, 0x6744_6698);
        request.Cookie.CopyTo(answer, 8);
        Action? answered = null;
        if (!medium.TryDo(() => answered = Do(request, answer.AsSpan(16))))
            return false;
        answered?.Invoke();
        await stream.WriteAsync(answer);
        return true;
    }

    private Action? Do(Request request, Span<byte> destination)
    {
        bool durably = (request.Flags & 1) != 0;
        switch (request.Type)
        {
            case 0:
                medium.Read(request.Offset, destination);
                return null;
            case 1:
                return medium.Write(request.Offset, request.Data, durably);
            case 3:
                medium.Flush(request.Answers);
                return null;
            case 4 or 6:
                return medium.Write(request.Offset, new byte[request.Length], durably);
            default:
                throw new IOException($"The client asks for {request.Type}.");
        }
    }

    private async Task ReceiveAsync(ChannelWriter<Request> requests)
    {
        try
        {
            while (true)
            {
                byte[] header = await TakeAsync(28);
                ushort type = BinaryPrimitives.ReadUInt16BigEndian(header.AsSpan(6));
                if (type == 2)
                    break;
                int length = (int)BinaryPrimitives.ReadUInt32BigEndian(header.AsSpan(24));
                byte[] data = type == 1 ? await TakeAsync(length) : [];
                await requests.WriteAsync(new Request(BinaryPrimitives.ReadUInt16BigEndian(header.AsSpan(4)), type, header[8..16],
                    BinaryPrimitives.ReadInt64BigEndian(header.AsSpan(16)), length, data, medium.Answers));
            }
            requests.Complete();
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            requests.Complete(e);
        }
    }

    private async Task NegotiateAsync()
    {
        byte[] greeting = new byte[18];
        BinaryPrimitives.WriteUInt64BigEndian(greeting, 0x4E42_444D_4147_4943);
        BinaryPrimitives.WriteUInt64BigEndian(greeting.AsSpan(8), 0x4948_4156_454F_5054);
        greeting[17] = 3; // fixed newstyle, no zeros
        await stream.WriteAsync(greeting);
        await TakeAsync(4);
        while (true)
        {
            byte[] header = await TakeAsync(16);
            uint option = BinaryPrimitives.ReadUInt32BigEndian(header.AsSpan(8));
            await TakeAsync((int)BinaryPrimitives.ReadUInt32BigEndian(header.AsSpan(12)));
            if (option != 7) // NBD_OPT_GO
            {
                await ReplyAsync(option, 1u << 31 | 1, []);
                continue;
            }
            byte[] export = new byte[12];
            BinaryPrimitives.WriteInt64BigEndian(export.AsSpan(2), medium.Size);
            BinaryPrimitives.WriteUInt16BigEndian(export.AsSpan(10), Flags);
            await ReplyAsync(option, 3, export);
            await ReplyAsync(option, 1, []);
            return;
        }
    }

    private async Task ReplyAsync(uint option, uint type, byte[] data)
    {
        byte[] reply = new byte[20 + data.Length];
        BinaryPrimitives.WriteUInt64BigEndian(reply, 0x0003_E889_0455_65A9);
        BinaryPrimitives.WriteUInt32BigEndian(reply.AsSpan(8), option);
        BinaryPrimitives.WriteUInt32BigEndian(reply.AsSpan(12), type);
        BinaryPrimitives.WriteUInt32BigEndian(reply.AsSpan(16), (uint)data.Length);
        data.CopyTo(reply, 20);
        await stream.WriteAsync(reply);
    }

    private async Task<byte[]> TakeAsync(int length)
    {
        byte[] bytes = new byte[length];
        await stream.ReadExactlyAsync(bytes);
        return bytes;
    }
}
