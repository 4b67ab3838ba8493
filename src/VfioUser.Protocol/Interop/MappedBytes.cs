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

    /// <summary>Part of the bytes.</summary>
    public MappedBytes Part(ulong offset, int count)
    {
        if (offset > length || (ulong)count > length - offset)
            Refuse(offset, count);
        // SAFETY: offset and count were checked against the bytes.
        return new MappedBytes(start + offset, (ulong)count);
    }

    /// <summary>Where a byte lies in this process; the end is allowed. Valid for as long as the mapping.</summary>
    public byte* PointerTo(ulong offset)
    {
        if (offset > length)
            Refuse(offset, 0);
        // SAFETY: the offset was checked; who dereferences the pointer keeps the mapping alive.
        return start + offset;
    }

    /// <summary>Whether the address of an offset is a multiple of a size.</summary>
    public bool IsAligned(ulong offset, int size) => ((ulong)start + offset) % (ulong)size == 0;

    private void Refuse(ulong offset, int count) =>
        throw new ArgumentOutOfRangeException(nameof(offset), offset, $"{count} bytes from there on leave the mapping of {length}.");
}
