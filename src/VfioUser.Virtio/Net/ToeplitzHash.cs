using System.Buffers.Binary;

namespace VfioUser.Virtio;

/// <summary>The hash by which frames are spread over queues, with a key. Immutable.</summary>
/// <remarks>VIRTIO 1.3 5.1.6.4.3 "Hash calculation for incoming packets".</remarks>
internal sealed class ToeplitzHash
{
    public const int MaxKeyLength = 40;

    private const int MaxInput = 36; // addresses and ports of IPv6

    // for each byte of the input the hash of each value: the hash of all is their exclusive or
    private readonly uint[] _hashes = new uint[MaxInput * 256];

    /// <param name="key">Up to 40 bytes; those that it lacks are zeros.</param>
    public ToeplitzHash(ReadOnlySpan<byte> key)
    {
        Span<byte> padded = stackalloc byte[MaxInput + sizeof(ulong)];
        padded.Clear();
        key.CopyTo(padded);
        for (int at = 0; at < MaxInput; at++)
        {
            ulong bits = BinaryPrimitives.ReadUInt64BigEndian(padded[at..]);
            Span<uint> hashes = _hashes.AsSpan(at * 256, 256);
            for (int value = 1; value < 256; value++)
            {
                int lowest = int.TrailingZeroCount(value);
                hashes[value] = hashes[value & (value - 1)] ^ (uint)(bits >> (32 - (7 - lowest)));
            }
        }
    }

    /// <param name="first">The beginning of what is hashed.</param>
    /// <param name="second">The rest; both have 36 bytes at most.</param>
    public uint Of(ReadOnlySpan<byte> first, ReadOnlySpan<byte> second)
    {
        uint hash = 0;
        int at = 0;
        foreach (byte value in first)
            hash ^= _hashes[256 * at++ + value];
        foreach (byte value in second)
            hash ^= _hashes[256 * at++ + value];
        return hash;
    }
}
