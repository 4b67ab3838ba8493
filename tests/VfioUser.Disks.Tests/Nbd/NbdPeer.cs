using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text;

namespace VfioUser.Disks.Tests.Nbd;

/// <summary>A server's end of a connection: says what the test wants, right or wrong.</summary>
internal sealed class NbdPeer(Stream stream)
{
    public const ushort All = 1 | 4 | 8 | 32 | 64; // flush, FUA, trim, write zeroes

    /// <summary>What the client asked for.</summary>
    public sealed record Request(ushort Flags, ushort Type, ulong Cookie, long Offset, uint Length, byte[] Data);

    public Task Send(params byte[] bytes) => stream.WriteAsync(bytes).AsTask();

    public static byte[] Join(params object[] parts)
    {
        List<byte> bytes = [];
        foreach (object part in parts)
        {
            byte[] more = part switch
            {
                ulong value => Big(8, value),
                uint value => Big(4, value),
                ushort value => Big(2, value),
                byte[] value => value,
                string value => Encoding.UTF8.GetBytes(value),
                _ => throw new ArgumentException($"{part.GetType()}"),
            };
            bytes.AddRange(more);
        }
        return [.. bytes];
    }

    public async Task<byte[]> Take(int length)
    {
        byte[] bytes = new byte[length];
        await stream.ReadExactlyAsync(bytes);
        return bytes;
    }

    /// <summary>Takes what is there, or what comes next.</summary>
    /// <returns>Its bytes, if they are few.</returns>
    public async Task<int> Receive() => await stream.ReadAsync(new byte[4096]);

    public Task Greet() => Send(Join(0x4E42_444D_4147_4943ul, 0x4948_4156_454F_5054ul, (ushort)3));

    public async Task<(uint Option, byte[] Data)> TakeOption()
    {
        byte[] head = await Take(16);
        return (BinaryPrimitives.ReadUInt32BigEndian(head.AsSpan(8)), await Take((int)BinaryPrimitives.ReadUInt32BigEndian(head.AsSpan(12))));
    }

    public Task Answer(uint option, uint type, byte[] data) => Send(Join(0x0003_E889_0455_65A9ul, option, type, (uint)data.Length, data));

    /// <summary>Negotiates as it should be.</summary>
    public async Task Negotiate(ulong size, ushort flags = All, bool structured = true, (uint, uint, uint)? blocks = null)
    {
        await Greet();
        await Take(4);
        while (true)
        {
            (uint option, _) = await TakeOption();
            if (option == 8)
            {
                await Answer(8, structured ? 1u : 1u << 31 | 1, []);
                continue;
            }
            await Answer(7, 3, Join((ushort)0, size, flags));
            if (blocks is var (least, best, most))
                await Answer(7, 3, Join((ushort)3, least, best, most));
            await Answer(7, 1, []);
            return;
        }
    }

    public async Task<Request> TakeRequest()
    {
        byte[] head = await Take(28);
        ushort type = BinaryPrimitives.ReadUInt16BigEndian(head.AsSpan(6));
        uint length = BinaryPrimitives.ReadUInt32BigEndian(head.AsSpan(24));
        return new Request(BinaryPrimitives.ReadUInt16BigEndian(head.AsSpan(4)), type, BinaryPrimitives.ReadUInt64BigEndian(head.AsSpan(8)),
            BinaryPrimitives.ReadInt64BigEndian(head.AsSpan(16)), length, type == 1 ? await Take((int)length) : []);
    }

    public Task Simple(ulong cookie, uint error = 0, byte[]? data = null) => Send(Join(0x6744_6698u, error, cookie, data ?? []));

    public Task Chunk(ulong cookie, ushort type, byte[] body, bool done = true) =>
        Send(Join(0x668E_33EFu, (ushort)(done ? 1 : 0), type, cookie, (uint)body.Length, body));

    /// <summary>A read's data in one chunk.</summary>
    public Task Data(Request request, byte[] data) => Chunk(request.Cookie, 1, Join((ulong)request.Offset, data));

    private static byte[] Big(int length, ulong value)
    {
        byte[] bytes = new byte[8];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, value);
        return bytes[(8 - length)..];
    }
}
