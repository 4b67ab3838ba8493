using System.Buffers.Binary;

namespace VfioUser.Virtio;

/// <content>What is known of files.</content>
internal sealed partial class NinePServer
{
    // P9_STATS_BASIC: all but birth time, generation and version
    private const ulong KnownAttributes = 0x7FF;

    // P9_ATTR_
    private const uint SetMode = 1 << 0;
    private const uint SetUser = 1 << 1;
    private const uint SetGroup = 1 << 2;
    private const uint SetSize = 1 << 3;
    private const uint SetAccessed = 1 << 4;
    private const uint SetModified = 1 << 5;
    private const uint SetAccessedTo = 1 << 7;
    private const uint SetModifiedTo = 1 << 8;

    private const uint Unchanged = uint.MaxValue;
    private const long TimeNow = (1L << 30) - 1; // UTIME_NOW
    private const long TimeOmit = (1L << 30) - 2; // UTIME_OMIT

    private FileError GetAttributes(ref NinePReader reader, ref NinePWriter writer)
    {
        FileError error = Find(ref reader, out NinePFid fid);
        if (error != FileError.None || (error = FileFacts.Of(fid.Path, out FileFacts facts)) != FileError.None)
            return error;
        writer.U64(KnownAttributes);
        writer.Qid(facts.Kind, facts.Inode);
        writer.U32(facts.Mode);
        writer.U32(facts.User);
        writer.U32(facts.Group);
        writer.U64(facts.Links);
        writer.U64(0); // of no use: devices are not opened here
        writer.U64(facts.Size);
        writer.U64(facts.BlockSize);
        writer.U64(facts.Blocks);
        foreach ((ulong seconds, uint nanoseconds) in (ReadOnlySpan<(ulong, uint)>)[facts.Accessed, facts.Modified, facts.Changed, default])
        {
            writer.U64(seconds);
            writer.U64(nanoseconds);
        }
        writer.U64(0); // generation
        writer.U64(0); // version
        return FileError.None;
    }

    private FileError SetAttributes(ref NinePReader reader)
    {
        FileError error = Find(ref reader, out NinePFid fid);
        uint what = reader.U32();
        (uint mode, uint user, uint group) = (reader.U32(), reader.U32(), reader.U32());
        ulong size = reader.U64();
        ReadOnlySpan<long> times =
        [
            (long)reader.U64(), Nanoseconds(reader.U64(), what, SetAccessed, SetAccessedTo),
            (long)reader.U64(), Nanoseconds(reader.U64(), what, SetModified, SetModifiedTo),
        ];
        if (error == FileError.None && reader.IsBad)
            error = FileError.EINVAL;
        if (error != FileError.None || (error = FileFacts.Of(fid.Path, out FileFacts facts)) != FileError.None)
            return error;
        bool isLink = facts.Kind == FileFacts.Link;
        if ((what & (SetUser | SetGroup)) != 0)
            error = ChangeOwner(fid, (what & SetUser) != 0 ? user : Unchanged, (what & SetGroup) != 0 ? group : Unchanged);
        if (error == FileError.None && (what & SetMode) != 0)
            error = isLink ? FileError.EOPNOTSUPP : Result(FolderCalls.ChangeMode(FolderCalls.CurrentFolder, fid.Name(), mode & ModeMask, 0));
        if (error == FileError.None && (what & SetSize) != 0)
            error = facts.Kind == FileFacts.Regular && size <= long.MaxValue ? Result(FolderCalls.Resize(fid.Name(), (long)size)) : FileError.EINVAL;
        if (error == FileError.None && (what & (SetAccessed | SetModified)) != 0)
            error = Result(FolderCalls.ChangeTimes(fid.Path, "\0"u8, times, FolderCalls.EmptyPath));
        return error;
    }

    // One who may not give files away keeps them: what the guest copies then belongs to this process.
    private static FileError ChangeOwner(NinePFid fid, uint user, uint group)
    {
        FileError error = Result(FolderCalls.ChangeOwner(fid.Path, "\0"u8, user, group, FolderCalls.EmptyPath));
        return error == FileError.EPERM ? FileError.None : error;
    }

    private static long Nanoseconds(ulong given, uint what, uint set, uint to) =>
        (what & set) == 0 ? TimeOmit : (what & to) == 0 ? TimeNow : (long)Math.Min(given, 999_999_999);

    private FileError DescribeFileSystem(ref NinePReader reader, ref NinePWriter writer)
    {
        FileError error = Find(ref reader, out NinePFid fid);
        if (error != FileError.None)
            return error;
        // struct statfs has 64-bit fields: type, block size, blocks, free, available, files, free files, identity, longest name
        Span<byte> facts = stackalloc byte[FolderCalls.StatfsLength];
        if (FolderCalls.StatFileSystem(fid.Path, facts) != 0)
            return LastErrno;
        writer.U32((uint)Field(facts, 0));
        writer.U32((uint)Field(facts, 1));
        for (int field = 2; field <= 7; field++)
            writer.U64(Field(facts, field));
        writer.U32((uint)Field(facts, 8));
        return FileError.None;
    }

    private static ulong Field(ReadOnlySpan<byte> facts, int index) => BinaryPrimitives.ReadUInt64LittleEndian(facts[(index * sizeof(ulong))..]);
}
