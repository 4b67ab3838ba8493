using Microsoft.Win32.SafeHandles;

namespace VfioUser.Nvme;

/// <summary>Blocks in a file or on a block device. The page cache is its volatile cache.</summary>
public sealed class FileDisk : NvmeDisk
{
    private const int NotSupported = 95; // EOPNOTSUPP

    private readonly SafeFileHandle _file;
    private readonly string _path;
    private volatile bool _noHoles;
    private volatile bool _isActive;

    private FileDisk(SafeFileHandle file, string path, long size, bool readOnly, bool isActive)
    {
        _file = file;
        _path = path;
        Size = size;
        IsReadOnly = readOnly;
        _isActive = isActive;
    }

    /// <inheritdoc/>
    public override long Size { get; }

    /// <summary>The full path: hosts that share a disk have it at the same place.</summary>
    public override string Identity => _path;

    /// <inheritdoc/>
    public override bool IsReadOnly { get; }

    /// <inheritdoc/>
    public override bool HasVolatileCache => true;

    /// <inheritdoc/>
    public override bool MayBlock => true;

    /// <inheritdoc/>
    public override bool IsActive => _isActive;

    /// <summary>Opens a file, and locks it against writers.</summary>
    /// <param name="path">Of the file or block device.</param>
    /// <param name="size">Creates a missing file, and gives a new or empty one this size; null for a file that must exist.</param>
    /// <param name="readOnly">Whether it is only read.</param>
    /// <param name="incoming">Whether another process has it until a guest has migrated here: it must exist, and is locked by <see cref="Activate"/>.</param>
    /// <exception cref="IOException">It does not exist, is in use, or has another size. The message says which.</exception>
    public static FileDisk Open(string path, long? size = null, bool readOnly = false, bool incoming = false)
    {
        bool create = size is not null && !readOnly && !incoming;
        bool unlocked = incoming && !readOnly;
        SafeFileHandle file = unlocked && File.Exists(path) ? FileSystemCalls.OpenUnlocked(path)
            : File.OpenHandle(path, create ? FileMode.OpenOrCreate : FileMode.Open,
                readOnly ? FileAccess.Read : FileAccess.ReadWrite, readOnly ? FileShare.Read : FileShare.None);
        try
        {
            bool isRegular = (File.GetAttributes(file) & (FileAttributes.Device | FileAttributes.Directory)) == 0
                && !path.StartsWith("/dev/", StringComparison.Ordinal);
            long length = LengthOf(file, isRegular);
            if (create && length == 0 && isRegular)
            {
                RandomAccess.SetLength(file, size!.Value);
                length = size.Value;
            }
            if (length == 0)
                throw new IOException($"{path} is empty: say how large the disk is to be.");
            if (size is { } wanted && wanted != length)
                throw new IOException($"{path} has {length} bytes, not {wanted}: its size is not changed.");
            return new FileDisk(file, Path.GetFullPath(path), length, readOnly, isActive: !unlocked);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public override void Activate()
    {
        if (!_isActive && !FileSystemCalls.TryLock(_file))
            throw new IOException($"{_path} is in use: another process has not given it up.");
        _isActive = true;
        FileSystemCalls.DropCache(_file);
    }

    /// <inheritdoc/>
    public override void Inactivate()
    {
        if (IsReadOnly)
            return;
        _isActive = false;
        FileSystemCalls.Unlock(_file);
    }

    /// <inheritdoc/>
    public override ValueTask ReadAsync(long offset, Memory<byte> destination, CancellationToken cancellation = default)
    {
        for (Span<byte> left = destination.Span; !left.IsEmpty;)
        {
            int count = RandomAccess.Read(_file, left, offset);
            if (count == 0)
                throw new EndOfStreamException($"{_path} ends at {offset}: it had {Size} bytes.");
            left = left[count..];
            offset += count;
        }
        return default;
    }

    /// <inheritdoc/>
    public override ValueTask WriteAsync(long offset, ReadOnlyMemory<byte> source, CancellationToken cancellation = default)
    {
        RandomAccess.Write(_file, source.Span, offset);
        return default;
    }

    /// <inheritdoc/>
    public override ValueTask WriteZeroesAsync(long offset, long length, bool deallocate, CancellationToken cancellation = default) =>
        deallocate && TryPunch(offset, length) ? default : base.WriteZeroesAsync(offset, length, deallocate, cancellation);

    /// <inheritdoc/>
    public override ValueTask DeallocateAsync(long offset, long length, CancellationToken cancellation = default)
    {
        TryPunch(offset, length);
        return default;
    }

    /// <inheritdoc/>
    protected override ValueTask WriteBackAsync()
    {
        if (!IsReadOnly)
            FileSystemCalls.Flush(_file, _path);
        return default;
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        _file.Dispose();
        base.Dispose(disposing);
    }

    private static long LengthOf(SafeFileHandle file, bool isRegular)
    {
        if (isRegular)
            return RandomAccess.GetLength(file);
        // a block device has no length in its attributes, but a seek to its end returns it
        using FileStream stream = new(new SafeFileHandle(file.DangerousGetHandle(), ownsHandle: false), FileAccess.Read, bufferSize: 0);
        return stream.Seek(0, SeekOrigin.End);
    }

    // Zeros are written where no hole can be made: of the range only, or because the file system has none.
    private bool TryPunch(long offset, long length)
    {
        if (_noHoles)
            return false;
        int errno = FileSystemCalls.PunchHoleInto(_file, offset, length);
        if (errno == NotSupported)
            _noHoles = true;
        return errno == 0;
    }
}
