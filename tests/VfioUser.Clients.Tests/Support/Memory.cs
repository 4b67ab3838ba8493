using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol.Interop;

namespace VfioUser.Clients.Tests;

/// <summary>What clients share of their memory.</summary>
internal static class Memory
{
    /// <summary>A memfd that cannot shrink, as QEMU makes it.</summary>
    public static SafeFileHandle Sealed(ulong length) => FileCalls.CreateMemory("guest", length);

    /// <summary>A file that can: hugetlbfs, a temporary file, a memfd of anyone else.</summary>
    public static SafeFileHandle Unsealed(long length)
    {
        SafeFileHandle file = new(Libc.MemfdCreate("guest", Libc.MfdCloexec | Libc.MfdAllowSealing), ownsHandle: true);
        Libc.Ftruncate(file, length).Should().Be(0);
        return file;
    }

    public static void Write(SafeFileHandle file, ulong offset, ReadOnlySpan<byte> bytes) => RandomAccess.Write(file, bytes, (long)offset);

    public static byte[] Read(SafeFileHandle file, ulong offset, int length)
    {
        byte[] bytes = new byte[length];
        RandomAccess.Read(file, bytes, (long)offset).Should().Be(length);
        return bytes;
    }

    /// <summary>Bytes that differ from place to place.</summary>
    public static byte[] Pattern(int length, int seed = 1)
    {
        byte[] bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }
}
