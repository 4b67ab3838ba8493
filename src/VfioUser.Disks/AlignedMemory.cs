using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace VfioUser.Disks;

/// <summary>Memory as O_DIRECT and native code want it: at a multiple of <see cref="Alignment"/>, and never moved.</summary>
internal static class AlignedMemory
{
    /// <summary>What any disk is content with, in bytes.</summary>
    public const int Alignment = 4096;

    /// <summary>Allocates memory that is not cleared.</summary>
    public static Memory<byte> Allocate(int length)
    {
        byte[] bytes = GC.AllocateUninitializedArray<byte>(length + Alignment, pinned: true);
        int lead = (int)(-Marshal.UnsafeAddrOfPinnedArrayElement(bytes, 0) & (Alignment - 1));
        return MemoryMarshal.CreateFromPinnedArray(bytes, lead, length);
    }

    /// <summary>Whether memory lies at a multiple of a number that is a power of two.</summary>
    public static bool IsAligned(ReadOnlySpan<byte> memory, int alignment) =>
        (Unsafe.ByteOffset(ref Unsafe.NullRef<byte>(), ref MemoryMarshal.GetReference(memory)) & (alignment - 1)) == 0;
}
