using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;

namespace VfioUser.Virtio;

/// <content>Files and what is in them.</content>
internal sealed partial class NinePServer
{
    // those bits of a mode that a guest may set: a program that it leaves gets no more rights here
    private const uint ModeMask = 0x3FF;

    private const byte LockGranted = 0;
    private const byte NotLocked = 2;

    private FileError Open(ref NinePReader reader, ref NinePWriter writer)
    {
        FileError error = Find(ref reader, out NinePFid fid);
        int flags = (int)reader.U32();
        if (error != FileError.None || reader.IsBad || fid.Content is not null)
            return error != FileError.None ? error : FileError.EINVAL;
        error = OpenContent(fid.Path, fid.Name(), flags, out SafeFileHandle content, out FileFacts facts);
        if (error != FileError.None)
            return error;
        (fid.Content, fid.IsWritable) = (content, (flags & FolderCalls.AccessMode) != 0);
        Describe(facts, ref writer);
        return FileError.None;
    }

    // Only what has content of its own: a device, or a pipe, of the host is none of the guest's.
    private FileError OpenContent(SafeFileHandle path, ReadOnlySpan<byte> name, int flags, out SafeFileHandle content, out FileFacts facts)
    {
        content = new SafeFileHandle();
        FileError error = FileFacts.Of(path, out facts);
        if (error != FileError.None)
            return error;
        if (facts.Kind is not (FileFacts.Regular or FileFacts.Folder))
            return FileError.EACCES;
        if (_options.ReadOnly && (flags & (FolderCalls.AccessMode | FolderCalls.Truncate)) != 0)
            return FileError.EROFS;
        int allowed = FolderCalls.AccessMode | FolderCalls.Truncate | FolderCalls.Synchronous;
        int fd = FolderCalls.OpenAt(FolderCalls.CurrentFolder, name, (flags & allowed) | FolderCalls.NonBlocking | FolderCalls.CloseOnExec, 0);
        content = new SafeFileHandle(fd, ownsHandle: true);
        return Result(fd);
    }

    private FileError Create(ref NinePReader reader, ref NinePWriter writer)
    {
        FileError error = Find(ref reader, out NinePFid fid);
        Span<byte> name = stackalloc byte[MaxName + 1];
        bool isNamed = TryName(ref reader, name);
        int flags = (int)reader.U32();
        uint mode = reader.U32() & ModeMask;
        if (error != FileError.None || reader.IsBad || !isNamed || fid.Content is not null)
            return error != FileError.None ? error : FileError.EINVAL;
        error = CreateIn(fid.Path, name, flags, mode, out SafeFileHandle content, out SafeFileHandle path);
        if (error != FileError.None)
            return error;
        error = FileFacts.Of(path, out FileFacts facts);
        if (error != FileError.None)
        {
            content.Dispose();
            path.Dispose();
            return error;
        }
        // the number is the new file's from now on
        fid.Become(path);
        (fid.Content, fid.IsWritable) = (content, (flags & FolderCalls.AccessMode) != 0);
        Describe(facts, ref writer);
        return FileError.None;
    }

    // Nothing that is there already is opened but a file.
    private FileError CreateIn(
        SafeFileHandle folder, ReadOnlySpan<byte> name, int flags, uint mode, out SafeFileHandle content, out SafeFileHandle path)
    {
        int allowed = FolderCalls.AccessMode | FolderCalls.Synchronous;
        int create = FolderCalls.Create | FolderCalls.Exclusive | FolderCalls.NoFollow | FolderCalls.NonBlocking;
        FileError error = OpenIn(folder, name, (flags & allowed) | create, mode, out content);
        if (error == FileError.None)
            error = OpenPath(content, out path);
        else if (error != FileError.EEXIST || (flags & FolderCalls.Exclusive) != 0)
            path = new SafeFileHandle();
        else if ((error = OpenIn(folder, name, FolderCalls.PathOnly | FolderCalls.NoFollow, 0, out path)) == FileError.None)
            error = OpenContent(path, NinePFid.NameOf(path), flags, out content, out _);
        if (error != FileError.None)
        {
            content.Dispose();
            path.Dispose();
        }
        return error;
    }

    private static FileError OpenPath(SafeFileHandle content, out SafeFileHandle path)
    {
        int fd = FolderCalls.OpenAt(FolderCalls.CurrentFolder, NinePFid.NameOf(content), FolderCalls.PathOnly | FolderCalls.CloseOnExec, 0);
        path = new SafeFileHandle(fd, ownsHandle: true);
        return Result(fd);
    }

    private FileError Read(ref NinePReader reader, ref NinePWriter writer)
    {
        FileError error = Find(ref reader, out NinePFid fid);
        ulong offset = reader.U64();
        uint count = reader.U32();
        if (error != FileError.None || reader.IsBad || fid.Content is null || offset > long.MaxValue)
            return error != FileError.None ? error : FileError.EBADF;
        int countAt = writer.Length;
        writer.U32(0);
        Span<byte> room = Room(count, ref writer);
        nint done = FolderCalls.ReadAt(fid.Content, room, room.Length, (long)offset);
        if (done < 0)
            return LastErrno;
        BinaryPrimitives.WriteUInt32LittleEndian(writer.Written[countAt..], (uint)done);
        writer.Skip((int)done);
        return FileError.None;
    }

    private FileError Write(ref NinePReader reader, ref NinePWriter writer)
    {
        FileError error = Find(ref reader, out NinePFid fid);
        ulong offset = reader.U64();
        ReadOnlySpan<byte> data = reader.Take(reader.U32());
        if (error != FileError.None || reader.IsBad || fid.Content is null || !fid.IsWritable || offset > long.MaxValue)
            return error != FileError.None ? error : FileError.EBADF;
        nint done = data.IsEmpty ? 0 : FolderCalls.WriteAt(fid.Content, data, data.Length, (long)offset);
        if (done < 0)
            return LastErrno;
        writer.U32((uint)done);
        return FileError.None;
    }

    private FileError Sync(ref NinePReader reader)
    {
        FileError error = Find(ref reader, out NinePFid fid);
        if (error != FileError.None || fid.Content is null)
            return error != FileError.None ? error : FileError.EBADF;
        return Result(FolderCalls.Flush(fid.Content));
    }

    // Locks are among the programs of the guest, which knows of them itself.
    private FileError Lock(ref NinePReader reader, ref NinePWriter writer)
    {
        FileError error = Find(ref reader, out _);
        writer.U8(LockGranted);
        return error;
    }

    private FileError GetLock(ref NinePReader reader, ref NinePWriter writer)
    {
        FileError error = Find(ref reader, out _);
        reader.U8();
        ulong start = reader.U64();
        ulong length = reader.U64();
        uint process = reader.U32();
        ReadOnlySpan<byte> client = reader.String();
        if (error != FileError.None || reader.IsBad || client.Length > MaxName / 2)
            return error != FileError.None ? error : FileError.EINVAL;
        writer.U8(NotLocked);
        writer.U64(start);
        writer.U64(length);
        writer.U32(process);
        writer.String(client);
        return FileError.None;
    }

    private static void Describe(in FileFacts facts, ref NinePWriter writer)
    {
        writer.Qid(facts.Kind, facts.Inode);
        writer.U32(0); // as much at once as fits in a message
    }

    // for the data of an answer
    private Span<byte> Room(uint count, ref NinePWriter writer) =>
        writer.Rest[..(int)Math.Min(count, (uint)Math.Max(0, Math.Min(_room, _messageSize) - writer.Length))];
}
