using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace VfioUser.Virtio;

/// <summary>Serves a folder by 9P2000.L: requests in, answers out.</summary>
/// <remarks>
/// <para>One thread at a time. A file is found from the descriptor of its folder by one name, without following a link; a name has no
/// slash, and is not "..": so nothing outside the folder is ever opened. Links are the guest's to follow.</para>
/// <para>Linux: Documentation/filesystems/9p.rst, net/9p/client.c, net/9p/protocol.c.</para>
/// </remarks>
internal sealed partial class NinePServer : IDisposable
{
    /// <summary>Length, type and tag of a message.</summary>
    public const int HeaderLength = 7;

    private const int MaxName = 255;
    private const int MaxWalk = 16;
    private const uint NoFid = uint.MaxValue;

    private readonly SafeFileHandle _root;
    private readonly VirtioSharedFolderOptions _options;
    private readonly Dictionary<uint, NinePFid> _fids = [];
    private int _messageSize;
    private int _room; // of the answer

    /// <exception cref="IOException">The folder cannot be opened.</exception>
    public NinePServer(string root, VirtioSharedFolderOptions options)
    {
        _options = options;
        _messageSize = options.MaxMessage;
        byte[] path = [.. System.Text.Encoding.UTF8.GetBytes(Path.GetFullPath(root)), 0];
        int fd = FolderCalls.OpenAt(FolderCalls.CurrentFolder, path, FolderCalls.PathOnly | FolderCalls.FolderOnly | FolderCalls.CloseOnExec, 0);
        if (fd < 0)
            throw new IOException($"{root}: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}");
        _root = new SafeFileHandle(fd, ownsHandle: true);
    }

    /// <summary>How many files the guest has numbers for.</summary>
    public int Files => _fids.Count;

    /// <summary>The guest has forgotten its files.</summary>
    public void Clear()
    {
        foreach (NinePFid fid in _fids.Values)
            fid.Dispose();
        _fids.Clear();
        _messageSize = _options.MaxMessage;
    }

    public void Dispose()
    {
        Clear();
        _root.Dispose();
    }

    /// <summary>Carries out a request.</summary>
    /// <param name="request">The whole message.</param>
    /// <param name="answer">Has room for any answer.</param>
    /// <param name="room">How long the answer may be: 11 bytes at least, which an error has.</param>
    /// <returns>The length of the answer.</returns>
    public int Serve(ReadOnlySpan<byte> request, Span<byte> answer, int room)
    {
        NinePType type = (NinePType)request[4];
        NinePReader reader = new(request[HeaderLength..]);
        NinePWriter writer = new(answer);
        writer.Skip(HeaderLength);
        _room = room;
        FileError error = BinaryPrimitives.ReadUInt32LittleEndian(request) != (uint)request.Length ? FileError.EINVAL : Handle(type, ref reader, ref writer);
        if (error == FileError.None && writer.Length > room)
            error = FileError.EINVAL;
        if (error != FileError.None)
        {
            writer.Truncate(HeaderLength);
            writer.U32((uint)error);
        }
        BinaryPrimitives.WriteInt32LittleEndian(answer, writer.Length);
        answer[4] = (byte)((byte)(error == FileError.None ? type : NinePType.Error) + 1);
        request.Slice(5, 2).CopyTo(answer[5..]);
        return writer.Length;
    }

    private FileError Handle(NinePType type, ref NinePReader reader, ref NinePWriter writer)
    {
        if (_options.ReadOnly && Changes(type))
            return FileError.EROFS;
        return type switch
        {
            NinePType.Version => Version(ref reader, ref writer),
            NinePType.Attach => Attach(ref reader, ref writer),
            NinePType.Walk => Walk(ref reader, ref writer),
            NinePType.Clunk => Clunk(ref reader),
            NinePType.Flush => FileError.None, // one request at a time: what it names is done
            NinePType.Open => Open(ref reader, ref writer),
            NinePType.Create => Create(ref reader, ref writer),
            NinePType.Read => Read(ref reader, ref writer),
            NinePType.Write => Write(ref reader, ref writer),
            NinePType.Fsync => Sync(ref reader),
            NinePType.Lock => Lock(ref reader, ref writer),
            NinePType.GetLock => GetLock(ref reader, ref writer),
            NinePType.GetAttr => GetAttributes(ref reader, ref writer),
            NinePType.SetAttr => SetAttributes(ref reader),
            NinePType.StatFs => DescribeFileSystem(ref reader, ref writer),
            NinePType.ReadDir => ReadFolder(ref reader, ref writer),
            NinePType.Mkdir => MakeFolder(ref reader, ref writer),
            NinePType.Symlink => MakeLink(ref reader, ref writer),
            NinePType.Mknod => MakeNode(ref reader, ref writer),
            NinePType.ReadLink => ReadLink(ref reader, ref writer),
            NinePType.Link => AddName(ref reader),
            NinePType.RenameAt => Rename(ref reader),
            NinePType.UnlinkAt => Remove(ref reader),
            NinePType.Remove => Forget(ref reader),
            _ => FileError.EOPNOTSUPP,
        };
    }

    private static bool Changes(NinePType type) => type is NinePType.Create or NinePType.Symlink or NinePType.Mknod or NinePType.SetAttr
        or NinePType.Link or NinePType.Mkdir or NinePType.RenameAt or NinePType.UnlinkAt or NinePType.Write;

    private FileError Version(ref NinePReader reader, ref NinePWriter writer)
    {
        uint size = reader.U32();
        ReadOnlySpan<byte> version = reader.String();
        if (reader.IsBad || size < 4096)
            return FileError.EINVAL;
        Clear();
        _messageSize = (int)Math.Min(size, (uint)_options.MaxMessage);
        writer.U32((uint)_messageSize);
        writer.String(version.SequenceEqual("9P2000.L"u8) ? version : "unknown"u8);
        return FileError.None;
    }

    private FileError Attach(ref NinePReader reader, ref NinePWriter writer)
    {
        uint number = reader.U32();
        uint authentication = reader.U32();
        if (reader.IsBad || authentication != NoFid)
            return FileError.EINVAL;
        FileError error = Duplicate(_root, out SafeFileHandle root);
        return error != FileError.None ? error : AddAndDescribe(number, root, ref writer);
    }

    private FileError Walk(ref NinePReader reader, ref NinePWriter writer)
    {
        uint from = reader.U32();
        uint to = reader.U32();
        int count = reader.U16();
        if (reader.IsBad || count > MaxWalk || !_fids.TryGetValue(from, out NinePFid? start))
            return FileError.EINVAL;
        int countAt = writer.Length;
        writer.U16(0);
        FileError error = Duplicate(start.Path, out SafeFileHandle at);
        ushort done = 0;
        Span<byte> name = stackalloc byte[MaxName + 1];
        for (; error == FileError.None && done < count; done++)
        {
            if (!TryName(ref reader, name))
                error = FileError.ENOENT;
            else
                error = Step(ref at, name, ref writer);
            if (error != FileError.None)
                break;
        }
        if (error != FileError.None && (done == 0 || at.IsInvalid))
        {
            at.Dispose();
            return error;
        }
        // fewer names than were asked for: the guest takes it for the error of the next one
        BinaryPrimitives.WriteUInt16LittleEndian(writer.Written[countAt..], done);
        if (done == count)
            return Add(to, at);
        at.Dispose();
        return FileError.None;
    }

    private static FileError Step(ref SafeFileHandle at, scoped ReadOnlySpan<byte> name, ref NinePWriter writer)
    {
        FileError error = OpenIn(at, name, FolderCalls.PathOnly | FolderCalls.NoFollow, 0, out SafeFileHandle next);
        if (error != FileError.None)
            return error;
        at.Dispose();
        at = next;
        error = FileFacts.Of(at, out FileFacts facts);
        if (error == FileError.None)
            writer.Qid(facts.Kind, facts.Inode);
        return error;
    }

    private FileError Clunk(ref NinePReader reader)
    {
        if (!_fids.Remove(reader.U32(), out NinePFid? fid))
            return FileError.EBADF;
        fid.Dispose();
        return FileError.None;
    }

    // Its folder is not known: the guest uses UnlinkAt.
    private FileError Forget(ref NinePReader reader)
    {
        FileError error = Clunk(ref reader);
        return error == FileError.None ? FileError.EOPNOTSUPP : error;
    }

    private FileError AddAndDescribe(uint number, SafeFileHandle path, ref NinePWriter writer)
    {
        FileError error = FileFacts.Of(path, out FileFacts facts);
        if (error == FileError.None)
            error = Add(number, path);
        else
            path.Dispose();
        if (error == FileError.None)
            writer.Qid(facts.Kind, facts.Inode);
        return error;
    }

    // Takes the descriptor over, also if it fails.
    private FileError Add(uint number, SafeFileHandle path)
    {
        NinePFid fid = new(path);
        if (_fids.Remove(number, out NinePFid? before))
            before.Dispose(); // a walk from a file to itself
        if (number != NoFid && _fids.Count < _options.MaxFiles)
        {
            _fids.Add(number, fid);
            return FileError.None;
        }
        fid.Dispose();
        return number == NoFid ? FileError.EBADF : FileError.EMFILE;
    }

    private FileError Find(ref NinePReader reader, out NinePFid fid)
    {
        fid = _fids.GetValueOrDefault(reader.U32())!;
        return fid is null ? FileError.EBADF : FileError.None;
    }

    // A single name, with a NUL behind it.
    private static bool TryName(ref NinePReader reader, scoped Span<byte> name)
    {
        ReadOnlySpan<byte> given = reader.String();
        if (given.Length is 0 or > MaxName || given.ContainsAny((byte)'/', (byte)0) || given.SequenceEqual("."u8) || given.SequenceEqual(".."u8))
            return false;
        given.CopyTo(name);
        name[given.Length] = 0;
        return true;
    }

    private static FileError OpenIn(SafeFileHandle folder, ReadOnlySpan<byte> name, int flags, uint mode, out SafeFileHandle file)
    {
        int fd = FolderCalls.OpenAt(folder, name, flags | FolderCalls.CloseOnExec, mode);
        file = new SafeFileHandle(fd, ownsHandle: true);
        return fd >= 0 ? FileError.None : LastErrno;
    }

    private static FileError Duplicate(SafeFileHandle file, out SafeFileHandle other)
    {
        int fd = FolderCalls.Duplicate(file);
        other = new SafeFileHandle(fd, ownsHandle: true);
        return Result(fd);
    }

    private static FileError Result(long result) => result >= 0 ? FileError.None : LastErrno;

    private static FileError LastErrno => (FileError)Marshal.GetLastPInvokeError();
}
