using Microsoft.Win32.SafeHandles;

namespace VfioUser.Disks;

/// <summary>Blocks in a file or on a block device.</summary>
/// <remarks>Any thread. <see cref="FileCacheMode"/> says when a write is durable.</remarks>
public sealed partial class FileDisk : Disk, IInPlaceDisk
{
    private const int NotSupported = 95; // EOPNOTSUPP
    private const int InvalidArgument = 22; // EINVAL

    private readonly SafeFileHandle _file;
    private readonly string _path;
    private readonly bool _isRegular;
    private readonly FileCacheMode _cache;
    private readonly int _alignment; // of offsets, lengths and memory; 1 through the page cache
    private readonly DirectFile? _direct; // null through the page cache
    private long _size;
    private volatile bool _noHoles;
    private volatile bool _isActive;

    private FileDisk(SafeFileHandle file, string path, bool isRegular, long size, FileDiskOptions options)
    {
        _file = file;
        _path = path;
        _isRegular = isRegular;
        _size = size;
        _cache = options.Cache;
        IsReadOnly = options.IsReadOnly;
        _isActive = !options.IsIncoming || IsReadOnly;
        _alignment = _cache is FileCacheMode.None or FileCacheMode.DirectSync ? OpenDirect() : 1;
        Hints = _alignment == 1 ? DiskHints.None : new DiskHints { BlockSize = _alignment };
        _direct = _alignment == 1 ? null : DirectFile.TryCreate(file, Finish);
    }

    /// <inheritdoc/>
    public override long Size => Volatile.Read(ref _size);

    /// <summary>The full path: hosts that share a disk have it at the same place.</summary>
    public override string Identity => _path;

    /// <inheritdoc/>
    public override bool IsReadOnly { get; }

    /// <inheritdoc/>
    public override bool HasVolatileCache => _cache is not (FileCacheMode.Writethrough or FileCacheMode.DirectSync);

    /// <inheritdoc/>
    public override bool MayBlock => true;

    /// <inheritdoc/>
    public override DiskHints Hints { get; }

    /// <inheritdoc/>
    public override bool IsActive => _isActive;

    /// <summary>Opens a file, and locks it against writers.</summary>
    /// <param name="path">Of the file or block device.</param>
    /// <param name="size">In bytes: creates a missing file, and gives a new or empty one this size; null for a file that must exist.</param>
    /// <exception cref="IOException">It does not exist, is in use, or has another size. The message says which.</exception>
    public static FileDisk Open(string path, long? size = null) => Open(path, new FileDiskOptions { Size = size });

    /// <summary>Opens a file, and locks it against writers.</summary>
    /// <param name="path">Of the file or block device.</param>
    /// <param name="options">What else is to be said.</param>
    /// <exception cref="IOException">It does not exist, is in use, has another size, or cannot be used past the page cache. The message
    /// says which.</exception>
    public static FileDisk Open(string path, FileDiskOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        bool readOnly = options.IsReadOnly;
        bool create = options.Size is not null && !readOnly && !options.IsIncoming;
        SafeFileHandle file = options.IsIncoming && !readOnly && File.Exists(path) ? FileSystemCalls.OpenUnlocked(path)
            : File.OpenHandle(path, create ? FileMode.OpenOrCreate : FileMode.Open,
                readOnly ? FileAccess.Read : FileAccess.ReadWrite, readOnly ? FileShare.Read : FileShare.None);
        try
        {
            bool isRegular = (File.GetAttributes(file) & (FileAttributes.Device | FileAttributes.Directory)) == 0
                && !path.StartsWith("/dev/", StringComparison.Ordinal);
            long length = LengthOf(file, isRegular);
            if (create && length == 0 && isRegular)
            {
                RandomAccess.SetLength(file, options.Size!.Value);
                length = options.Size.Value;
            }
            if (length == 0)
                throw new IOException($"{path} is empty: say how large the disk is to be.");
            if (options.Size is { } wanted && wanted != length)
                throw new IOException($"{path} has {length} bytes, not {wanted}: its size is not changed.");
            return new FileDisk(file, Path.GetFullPath(path), isRegular, length, options);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Looks how large the file or device is now, and tells the guest if that has changed.</summary>
    /// <exception cref="IOException">It cannot be told.</exception>
    /// <remarks>Any thread.</remarks>
    public void UpdateSize()
    {
        long size = LengthOf(_file, _isRegular);
        if (Interlocked.Exchange(ref _size, size) != size)
            OnSizeChanged();
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
        ReadAll(destination.Span, offset);
        return default;
    }

    /// <inheritdoc/>
    public override ValueTask WriteAsync(long offset, ReadOnlyMemory<byte> source, CancellationToken cancellation = default)
    {
        WriteAll(source.Span, offset);
        return FlushIfDue();
    }

    /// <inheritdoc/>
    public override ValueTask WriteZeroesAsync(long offset, long length, bool deallocate, CancellationToken cancellation = default) =>
        deallocate && TryPunch(offset, length) ? FlushIfDue() : base.WriteZeroesAsync(offset, length, deallocate, cancellation);

    /// <inheritdoc/>
    public override ValueTask DeallocateAsync(long offset, long length, CancellationToken cancellation = default)
    {
        return TryPunch(offset, length) ? FlushIfDue() : default;
    }

    /// <inheritdoc/>
    protected override ValueTask WriteBackAsync()
    {
        if (!IsReadOnly && _cache != FileCacheMode.Unsafe)
            FileSystemCalls.Flush(_file, _path);
        return default;
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _direct?.Dispose();
        _file.Dispose();
        base.Dispose(disposing);
    }

    private ValueTask FlushIfDue() => HasVolatileCache ? default : FlushAsync();

    private void ReadAll(Span<byte> destination, long offset)
    {
        while (!destination.IsEmpty)
        {
            int count = Read(destination, offset);
            if (count == 0)
                throw new EndOfStreamException($"{_path} ends at {offset}: it had {Size} bytes.");
            destination = destination[count..];
            offset += count;
        }
    }

    private void WriteAll(ReadOnlySpan<byte> source, long offset)
    {
        if (AlignedMemory.IsAligned(source, _alignment))
            RandomAccess.Write(_file, source, offset);
        else
            WriteCopy(source, offset);
    }

    // Past the page cache, memory has to be aligned: that of devices is, and others are copied.
    private int Read(Span<byte> destination, long offset)
    {
        if (AlignedMemory.IsAligned(destination, _alignment))
            return RandomAccess.Read(_file, destination, offset);
        Span<byte> copy = AlignedMemory.Allocate(destination.Length).Span;
        int count = RandomAccess.Read(_file, copy, offset);
        copy[..count].CopyTo(destination);
        return count;
    }

    private void WriteCopy(ReadOnlySpan<byte> source, long offset)
    {
        Span<byte> copy = AlignedMemory.Allocate(source.Length).Span;
        source.CopyTo(copy);
        RandomAccess.Write(_file, copy, offset);
    }

    // Nothing tells for all file systems and kernels what they take: the device's blocks, mostly.
    private int OpenDirect()
    {
        FileSystemCalls.UseDirect(_file, _path);
        Memory<byte> probe = AlignedMemory.Allocate(4096);
        try
        {
            RandomAccess.Read(_file, probe.Span[..512], 512);
            return 512;
        }
        catch (Exception e) when (e.HResult == InvalidArgument || e is ArgumentException)
        {
            RandomAccess.Read(_file, probe.Span, 0);
            return 4096;
        }
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
