using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace VfioUser.Virtio;

/// <summary>What the system says of a file. Immutable.</summary>
/// <remarks>Linux: struct statx.</remarks>
internal readonly struct FileFacts
{
    public const int KindMask = 0xF000;
    public const int Fifo = 0x1000;
    public const int Folder = 0x4000;
    public const int Regular = 0x8000;
    public const int Link = 0xA000;
    public const int Socket = 0xC000;

    private FileFacts(ReadOnlySpan<byte> statx)
    {
        BlockSize = U32(statx, 4);
        Links = U32(statx, 16);
        User = U32(statx, 20);
        Group = U32(statx, 24);
        Mode = BinaryPrimitives.ReadUInt16LittleEndian(statx[28..]);
        Inode = U64(statx, 32);
        Size = U64(statx, 40);
        Blocks = U64(statx, 48);
        Accessed = (U64(statx, 64), U32(statx, 72));
        Changed = (U64(statx, 96), U32(statx, 104));
        Modified = (U64(statx, 112), U32(statx, 120));
        Device = (ulong)U32(statx, 136) << 32 | U32(statx, 140);
    }

    public uint BlockSize { get; }

    public uint Links { get; }

    public uint User { get; }

    public uint Group { get; }

    public uint Mode { get; }

    public ulong Inode { get; }

    public ulong Size { get; }

    public ulong Blocks { get; }

    public ulong Device { get; }

    public (ulong Seconds, uint Nanoseconds) Accessed { get; }

    public (ulong Seconds, uint Nanoseconds) Changed { get; }

    public (ulong Seconds, uint Nanoseconds) Modified { get; }

    public int Kind => (int)Mode & KindMask;

    /// <summary>Asks the system for a file that is open.</summary>
    public static FileError Of(SafeFileHandle file, out FileFacts facts)
    {
        Span<byte> statx = stackalloc byte[FolderCalls.StatxLength];
        if (FolderCalls.Statx(file, "\0"u8, FolderCalls.EmptyPath, FolderCalls.StatxBasicAndBirth, statx) != 0)
        {
            facts = default;
            return (FileError)Marshal.GetLastPInvokeError();
        }
        facts = new FileFacts(statx);
        return FileError.None;
    }

    private static uint U32(ReadOnlySpan<byte> statx, int offset) => BinaryPrimitives.ReadUInt32LittleEndian(statx[offset..]);

    private static ulong U64(ReadOnlySpan<byte> statx, int offset) => BinaryPrimitives.ReadUInt64LittleEndian(statx[offset..]);
}
