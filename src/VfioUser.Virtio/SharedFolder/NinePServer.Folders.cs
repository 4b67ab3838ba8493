using System.Buffers.Binary;

namespace VfioUser.Virtio;

/// <content>Folders and the names in them.</content>
internal sealed partial class NinePServer
{
    // of struct linux_dirent64
    private const int EntryOffset = 8;
    private const int EntryLength = 16;
    private const int EntryKind = 18;
    private const int EntryName = 19;

    // of an entry in an answer: identity, offset, kind, length of the name
    private const int EntryOverhead = 13 + 8 + 1 + 2;

    private const int MaxTarget = 4096;
    private const int ModeShift = 12;

    private readonly byte[] _entries = new byte[32 << 10];

    private FileError ReadFolder(ref NinePReader reader, ref NinePWriter writer)
    {
        FileError error = Find(ref reader, out NinePFid fid);
        ulong offset = reader.U64();
        uint count = reader.U32();
        if (error != FileError.None || reader.IsBad || fid.Content is null || offset > long.MaxValue)
            return error != FileError.None ? error : FileError.EBADF;
        if (FolderCalls.Seek(fid.Content, (long)offset, FolderCalls.SeekFromStart) < 0)
            return LastErrno;
        int countAt = writer.Length;
        writer.U32(0);
        int end = writer.Length + Room(count, ref writer).Length;
        while (FolderCalls.ReadFolder(fid.Content, _entries, _entries.Length) is var length && length != 0)
        {
            if (length < 0)
                return LastErrno;
            if (!AddEntries(_entries.AsSpan(0, (int)length), end, ref writer))
                break;
        }
        BinaryPrimitives.WriteUInt32LittleEndian(writer.Written[countAt..], (uint)(writer.Length - countAt - sizeof(uint)));
        return FileError.None;
    }

    // False if there is no room: the guest asks again, from the last that it has got.
    private static bool AddEntries(ReadOnlySpan<byte> entries, int end, ref NinePWriter writer)
    {
        while (!entries.IsEmpty)
        {
            int length = BinaryPrimitives.ReadUInt16LittleEndian(entries[EntryLength..]);
            ReadOnlySpan<byte> name = entries[EntryName..length];
            name = name[..name.IndexOf((byte)0)];
            if (writer.Length + EntryOverhead + name.Length > end)
                return false;
            byte kind = entries[EntryKind];
            writer.Qid(kind << ModeShift, BinaryPrimitives.ReadUInt64LittleEndian(entries));
            writer.U64(BinaryPrimitives.ReadUInt64LittleEndian(entries[EntryOffset..]));
            writer.U8(kind);
            writer.String(name);
            entries = entries[length..];
        }
        return true;
    }

    private FileError MakeFolder(ref NinePReader reader, ref NinePWriter writer)
    {
        FileError error = Find(ref reader, out NinePFid folder);
        Span<byte> name = stackalloc byte[MaxName + 1];
        bool isNamed = TryName(ref reader, name);
        uint mode = reader.U32() & ModeMask;
        if (error != FileError.None || reader.IsBad || !isNamed)
            return error != FileError.None ? error : FileError.EINVAL;
        error = Result(FolderCalls.MakeFolder(folder.Path, name, mode));
        return error != FileError.None ? error : DescribeIn(folder, name, ref writer);
    }

    private FileError MakeLink(ref NinePReader reader, ref NinePWriter writer)
    {
        FileError error = Find(ref reader, out NinePFid folder);
        Span<byte> name = stackalloc byte[MaxName + 1];
        bool isNamed = TryName(ref reader, name);
        ReadOnlySpan<byte> target = reader.String();
        if (error != FileError.None || reader.IsBad || !isNamed || target.Length >= MaxTarget || target.Contains((byte)0))
            return error != FileError.None ? error : FileError.EINVAL;
        error = Result(FolderCalls.MakeLink([.. target, 0], folder.Path, name));
        return error != FileError.None ? error : DescribeIn(folder, name, ref writer);
    }

    private FileError MakeNode(ref NinePReader reader, ref NinePWriter writer)
    {
        FileError error = Find(ref reader, out NinePFid folder);
        Span<byte> name = stackalloc byte[MaxName + 1];
        bool isNamed = TryName(ref reader, name);
        uint mode = reader.U32();
        if (error != FileError.None || reader.IsBad || !isNamed)
            return error != FileError.None ? error : FileError.EINVAL;
        // devices of the guest's choice would be devices of the host
        if ((mode & FileFacts.KindMask) is not (FileFacts.Regular or FileFacts.Fifo or FileFacts.Socket))
            return FileError.EPERM;
        error = Result(FolderCalls.MakeNode(folder.Path, name, (mode & FileFacts.KindMask) | (mode & ModeMask), 0));
        return error != FileError.None ? error : DescribeIn(folder, name, ref writer);
    }

    private FileError ReadLink(ref NinePReader reader, ref NinePWriter writer)
    {
        FileError error = Find(ref reader, out NinePFid fid);
        if (error != FileError.None)
            return error;
        Span<byte> target = stackalloc byte[MaxTarget];
        nint length = FolderCalls.ReadLink(fid.Path, "\0"u8, target, target.Length);
        if (length < 0)
            return LastErrno;
        if (length > writer.Rest.Length - sizeof(ushort))
            return FileError.EINVAL;
        writer.String(target[..(int)length]);
        return FileError.None;
    }

    private FileError AddName(ref NinePReader reader)
    {
        FileError error = Find(ref reader, out NinePFid folder);
        FileError second = Find(ref reader, out NinePFid fid);
        Span<byte> name = stackalloc byte[MaxName + 1];
        if (error != FileError.None || second != FileError.None)
            return FileError.EBADF;
        error = FileFacts.Of(fid.Path, out FileFacts facts);
        // a path to a link must not become one to what it stands for
        if (error != FileError.None || facts.Kind == FileFacts.Link)
            return error != FileError.None ? error : FileError.EPERM;
        return TryName(ref reader, name)
            ? Result(FolderCalls.AddName(FolderCalls.CurrentFolder, fid.Name(), folder.Path, name, FolderCalls.FollowLink))
            : FileError.EINVAL;
    }

    private FileError Rename(ref NinePReader reader)
    {
        FileError error = Find(ref reader, out NinePFid from);
        Span<byte> before = stackalloc byte[MaxName + 1];
        bool isNamed = TryName(ref reader, before);
        FileError second = Find(ref reader, out NinePFid to);
        Span<byte> after = stackalloc byte[MaxName + 1];
        if (error != FileError.None || second != FileError.None)
            return FileError.EBADF;
        return TryName(ref reader, after) && isNamed ? Result(FolderCalls.Rename(from.Path, before, to.Path, after)) : FileError.EINVAL;
    }

    private FileError Remove(ref NinePReader reader)
    {
        FileError error = Find(ref reader, out NinePFid folder);
        Span<byte> name = stackalloc byte[MaxName + 1];
        bool isNamed = TryName(ref reader, name);
        uint flags = reader.U32();
        if (error != FileError.None || reader.IsBad || !isNamed)
            return error != FileError.None ? error : FileError.EINVAL;
        return Result(FolderCalls.Remove(folder.Path, name, (int)flags & FolderCalls.RemoveFolder));
    }

    private static FileError DescribeIn(NinePFid folder, scoped ReadOnlySpan<byte> name, ref NinePWriter writer)
    {
        FileError error = OpenIn(folder.Path, name, FolderCalls.PathOnly | FolderCalls.NoFollow, 0, out Microsoft.Win32.SafeHandles.SafeFileHandle file);
        using (file)
        {
            if (error != FileError.None || (error = FileFacts.Of(file, out FileFacts facts)) != FileError.None)
                return error;
            writer.Qid(facts.Kind, facts.Inode);
            return FileError.None;
        }
    }
}
