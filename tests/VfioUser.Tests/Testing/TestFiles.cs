using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser.Tests;

/// <summary>Descriptors of all kinds, as a client might send them.</summary>
internal static class TestFiles
{
    public const int SealShrink = 2;
    public const int SealWrite = 8;
    public const int ReadOnly = 0;
    public const int ReadWrite = 2;
    public const int NonBlock = 0x800;
    public const int PathOnly = 0x200000;
    public const uint HugePages = 4;
    public const int HugePageSize = 2 << 20;

    /// <summary>A memory file without a seal.</summary>
    public static SafeFileHandle Memory(long size, int seals = 0, string name = "test", uint flags = 0)
    {
        SafeFileHandle file = Libc.Own(Libc.MemfdCreate(name, Libc.MfdCloexec | Libc.MfdAllowSealing | flags), "memfd_create");
        Truncate(file, size);
        if (seals != 0)
            Libc.Fcntl(file, Libc.FAddSeals, seals).Should().Be(0);
        return file;
    }

    public static void Truncate(SafeHandle file, long size) => Libc.Ftruncate(file, size).Should().Be(0);

    public static void SetFlags(SafeHandle file, int flags)
    {
        const int FSetFl = 4;
        Libc.Fcntl(file, FSetFl, flags).Should().Be(0);
    }

    public static void Fill(SafeHandle file, int count, byte value)
    {
        byte[] bytes = new byte[count];
        bytes.AsSpan().Fill(value);
        FileCalls.WriteAt(file, bytes, 0).Should().Be(Errno.None);
    }

    public static byte[] Content(SafeHandle file, ulong offset, int count)
    {
        byte[] bytes = new byte[count];
        FileCalls.ReadAt(file, bytes, offset).Should().Be(Errno.None);
        return bytes;
    }

    /// <summary>What <c>open(2)</c> gives, directories and O_PATH included.</summary>
    public static SafeFileHandle Open(string path, int flags) =>
        Libc.Own(OpenFile([.. Encoding.UTF8.GetBytes(path), 0], flags), $"open({path})");

    /// <summary>A new descriptor with rights of its own for a file that is open.</summary>
    public static SafeFileHandle Reopen(SafeFileHandle file, int flags) => Open($"/proc/self/fd/{file.DangerousGetHandle()}", flags);

    [DllImport("libc", EntryPoint = "open64", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int OpenFile(byte[] path, int flags);
}
