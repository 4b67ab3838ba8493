using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace VfioUser.Protocol.Interop;

/// <summary>A shared mapping of part of a file. Unmapped when disposed and no reference is held any more, or when collected.</summary>
internal sealed unsafe class MappedMemory : SafeHandleZeroOrMinusOneIsInvalid
{
    private readonly nuint _mappedLength;
    private readonly byte* _start;

    private MappedMemory(nint mapping, nuint mappedLength, nuint skip, ulong length)
        : base(ownsHandle: true)
    {
        SetHandle(mapping);
        _mappedLength = mappedLength;
        _start = (byte*)mapping + skip;
        Length = length;
    }

    /// <summary>In bytes, from the offset that was asked for.</summary>
    public ulong Length { get; }

    /// <summary>Maps <paramref name="length"/> bytes of a file from <paramref name="offset"/> on, which need not be page-aligned.</summary>
    /// <returns>Null when the system refuses; <paramref name="errno"/> says why.</returns>
    public static MappedMemory? TryMap(SafeHandle file, ulong offset, ulong length, bool readable, bool writable, out Errno errno,
        int pageSize = 0)
    {
        // huge pages are mapped and unmapped whole
        nuint page = (nuint)(pageSize == 0 ? Environment.SystemPageSize : pageSize);
        nuint skip = (nuint)offset % page;
        nuint mappedLength = unchecked((nuint)length + skip + page - 1) / page * page;
        if (mappedLength < length)
        {
            errno = Errno.ENOMEM; // rounding up to whole pages overflowed
            return null;
        }
        int protection = (readable ? Libc.ProtRead : 0) | (writable ? Libc.ProtWrite : 0);
        nint mapping = Libc.Mmap(0, mappedLength, protection, Libc.MapShared, file, (long)(offset - skip));
        errno = mapping == -1 ? Libc.LastErrno : Errno.None;
        return mapping == -1 ? null : new MappedMemory(mapping, mappedLength, skip, length);
    }

    /// <summary>The bytes themselves.</summary>
    /// <remarks>The caller keeps this object alive and open for as long as it uses the span.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Span<byte> Slice(ulong offset, int length) => new MappedBytes(_start, Length).Slice(offset, length);

    /// <summary>Part of the mapping.</summary>
    /// <remarks>The caller keeps this object alive and open for as long as it uses the part.</remarks>
    public MappedBytes Part(ulong offset, ulong length)
    {
        if (offset > Length || length > Length - offset)
            throw new ArgumentOutOfRangeException(nameof(offset), offset, $"{length} bytes from there on leave the mapping of {Length}.");
        // SAFETY: offset and length were checked against the mapping.
        return new MappedBytes(_start + offset, length);
    }

    protected override bool ReleaseHandle() => Libc.Munmap(handle, _mappedLength) == 0;
}
