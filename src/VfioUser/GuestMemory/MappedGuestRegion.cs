using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>Guest memory mapped into this process.</summary>
internal sealed class MappedGuestRegion(DmaRegion description, FileWindow window, ulong fileOffset) : GuestRegion(description)
{
    private readonly MappedBytes _memory = window.Part(fileOffset, description.Length);

    /// <summary>Valid between enter and exit.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Span<byte> Slice(ulong offset, int length) => _memory.Slice(offset, length);

    /// <summary>Part of the memory. To be used between enter and exit.</summary>
    public MappedBytes Part(ulong offset, int length) => _memory.Part(offset, length);

    /// <summary>A value in the memory. Valid between enter and exit.</summary>
    public ref T At<T>(ulong offset)
        where T : unmanaged => ref MemoryMarshal.AsRef<T>(Slice(offset, Unsafe.SizeOf<T>()));

    /// <summary>Whether an offset lies at a multiple of a size in this process, as atomic instructions need it.</summary>
    public bool IsAligned(ulong offset, int size) => _memory.IsAligned(offset, size);

    protected override DmaResult Get(ulong offset, Span<byte> destination)
    {
        Span<byte> source = Slice(offset, destination.Length);
        if (!TryCopyOnce(source, destination))
            source.CopyTo(destination);
        return DmaResult.Done;
    }

    protected override DmaResult Put(ulong offset, ReadOnlySpan<byte> source)
    {
        Span<byte> destination = Slice(offset, source.Length);
        if (!TryCopyOnce(source, destination))
            source.CopyTo(destination);
        Written(offset, source.Length);
        return DmaResult.Done;
    }

    protected override void Release() => window.Release();

    // Integers with one load and one store. A general copy may store the same bytes twice, and would overwrite what the guest
    // wrote in between.
    private static bool TryCopyOnce(ReadOnlySpan<byte> source, Span<byte> destination)
    {
        switch (source.Length)
        {
            case sizeof(byte):
                destination[0] = source[0];
                return true;
            case sizeof(ushort):
                MemoryMarshal.Write(destination, MemoryMarshal.Read<ushort>(source));
                return true;
            case sizeof(uint):
                MemoryMarshal.Write(destination, MemoryMarshal.Read<uint>(source));
                return true;
            case sizeof(ulong):
                MemoryMarshal.Write(destination, MemoryMarshal.Read<ulong>(source));
                return true;
            default:
                return false;
        }
    }
}
