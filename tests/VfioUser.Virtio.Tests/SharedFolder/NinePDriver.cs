using System.Buffers.Binary;
using System.Text;

namespace VfioUser.Virtio.Tests;

/// <summary>A driver of a shared folder, and the client of 9P2000.L above it.</summary>
internal sealed class NinePDriver
{
    public const uint Root = 0;

    private readonly VirtioDriver _driver;

    public NinePDriver(TestGuest guest, VirtioDriverOptions? options = null, uint messageSize = 8192)
    {
        _driver = VirtioDriver.Start(guest, options is null ? null : options with { Features = options.Features | 1 });
        MessageSize = (int)messageSize;
        Call(NinePType.Version, messageSize, "9P2000.L");
        Call(NinePType.Attach, Root, uint.MaxValue, "guest", "", 0u);
    }

    public int MessageSize { get; }

    public VirtioDriver Driver => _driver;

    /// <summary>Sends a request that must not fail.</summary>
    /// <returns>What the answer has after its header.</returns>
    public byte[] Call(NinePType type, params object[] fields)
    {
        byte[] answer = Send(type, fields);
        answer[4].Should().Be((byte)((byte)type + 1), "the answer is no error, {0}", answer.Length >= 11 ? BitConverter.ToUInt32(answer, 7) : 0);
        return answer[7..];
    }

    /// <summary>Sends a request that has to fail.</summary>
    /// <returns>The errno.</returns>
    public int Fail(NinePType type, params object[] fields)
    {
        byte[] answer = Send(type, fields);
        answer[4].Should().Be((byte)NinePType.Error + 1);
        answer.Should().HaveCount(11);
        return BitConverter.ToInt32(answer, 7);
    }

    /// <summary>Gives a file below the root a number.</summary>
    public void Walk(uint to, params string[] names) =>
        BitConverter.ToUInt16(Call(NinePType.Walk, [Root, to, (ushort)names.Length, .. names])).Should().Be((ushort)names.Length);

    public byte[] Raw(ReadOnlySpan<byte> message) => _driver.Queues[0].Request(message, MessageSize);

    private byte[] Send(NinePType type, object[] fields)
    {
        List<byte> body = [];
        foreach (object field in fields)
        {
            body.AddRange(field switch
            {
                byte value => [value],
                ushort value => BitConverter.GetBytes(value),
                uint value => BitConverter.GetBytes(value),
                ulong value => BitConverter.GetBytes(value),
                byte[] value => [.. BitConverter.GetBytes(value.Length), .. value],
                string value => [.. BitConverter.GetBytes((ushort)Encoding.UTF8.GetByteCount(value)), .. Encoding.UTF8.GetBytes(value)],
                _ => throw new ArgumentException($"{field} is no field"),
            });
        }
        byte[] message = new byte[7 + body.Count];
        BinaryPrimitives.WriteInt32LittleEndian(message, message.Length);
        message[4] = (byte)type;
        message[5] = 0x34;
        message[6] = 0x12;
        body.CopyTo(message, 7);
        byte[] answer = Raw(message);
        BitConverter.ToInt32(answer).Should().Be(answer.Length);
        BitConverter.ToUInt16(answer, 5).Should().Be(0x1234);
        return answer;
    }
}
