using System.Runtime.CompilerServices;

namespace VfioUser.Protocol.Interop;

/// <summary>Part of a mapping, for a caller that keeps the mapping alive.</summary>
internal readonly unsafe struct MappedBytes(byte* start, ulong length)
{
    /// <summary>In bytes.</summary>
    public ulong Length => length;

    /// <summary>The bytes themselves.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Span<byte> Slice(ulong offset, int count)
    {
        if (offset > length || (ulong)count > length - offset)
            Refuse(offset, count);
        // SAFETY: offset and count were checked against the part, and its holder keeps the mapping alive.
        return new Span<byte>(start + offset, count);
    }

    /// <summary>Whether the address of an offset is a multiple of a size.</summary>
    public bool IsAligned(ulong offset, int size) => ((ulong)start + offset) % (ulong)size == 0;

    private void Refuse(ulong offset, int count) =>
        throw new ArgumentOutOfRangeException(nameof(offset), offset, $"{count} bytes from there on leave the mapping of {length}.");
}
