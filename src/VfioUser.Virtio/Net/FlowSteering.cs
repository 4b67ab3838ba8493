using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace VfioUser.Virtio;

/// <summary>Which pair of queues a received frame goes to: that from which the guest has sent last in the same flow.</summary>
/// <remarks>Any thread; each entry is a byte. VIRTIO 1.3 5.1.6.5.6 "Automatic receive steering in multiqueue mode".</remarks>
internal sealed class FlowSteering
{
    private const int Entries = 256;

    // the pair and one; 0 for a flow in which the guest has not sent
    private readonly byte[] _pairs = new byte[Entries];

    public void Sent(ReadOnlySpan<byte> head, int pair) => Volatile.Write(ref _pairs[HashOf(head) % Entries], (byte)(pair + 1));

    public int PairFor(ReadOnlySpan<byte> head, int pairs)
    {
        uint hash = HashOf(head);
        int known = Volatile.Read(ref _pairs[hash % Entries]);
        return (known > 0 ? known - 1 : (int)(hash >> 8)) % pairs;
    }

    public void Clear() => _pairs.AsSpan().Clear();

    // the same for both directions; 0 for what is not IP
    private static uint HashOf(ReadOnlySpan<byte> head)
    {
        if (!IpFlow.TryRead(head, out IpFlow flow))
            return 0;
        uint sum = Words(flow.Addresses);
        return Mix(flow.Ports.IsEmpty ? sum : sum ^ Ports(flow.Ports));
    }

    private static uint Words(ReadOnlySpan<byte> bytes)
    {
        uint all = 0;
        foreach (uint word in MemoryMarshal.Cast<byte, uint>(bytes))
            all ^= word;
        return all;
    }

    private static uint Ports(ReadOnlySpan<byte> transport) =>
        (uint)(BinaryPrimitives.ReadUInt16BigEndian(transport) ^ BinaryPrimitives.ReadUInt16BigEndian(transport[2..]));

    private static uint Mix(uint value)
    {
        value ^= value >> 16;
        value *= 0x7FEB352D;
        value ^= value >> 15;
        return value;
    }
}
