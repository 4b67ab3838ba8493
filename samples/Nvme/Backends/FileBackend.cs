using Microsoft.Win32.SafeHandles;

namespace Nvme.Backends;

/// <summary>Blocks in a file or on a block device. The page cache is its volatile cache.</summary>
public sealed class FileBackend : Backend
{
    private static readonly byte[] Zeroes = new byte[1 << 20];
    private readonly SafeFileHandle _file;
    private readonly bool _isRegular;
    private volatile bool _noHoles;

    private FileBackend(SafeFileHandle file, long size, bool readOnly, bool isRegular)
    {
        _file = file;
        Size = size;
        IsReadOnly = readOnly;
        _isRegular = isRegular;
    }

    /// <inheritdoc/>
    public override long Size { get; }

    /// <inheritdoc/>
    public override bool IsReadOnly { get; }

    /// <inheritdoc/>
    public override bool HasVolatileCache => true;

    /// <inheritdoc/>
    public override bool Blocks => true;

    /// <summary>Opens a file, and locks it against writers.</summary>
    /// <param name="path">Of the file or block device.</param>
    /// <param name="size">Creates a missing file, and gives a new or empty one this size; null for a file that must exist.</param>
    /// <param name="readOnly">Whether it is only read.</param>
    /// <exception cref="IOException">It does not exist, is in use, or has another size. The message says which.</exception>
    public static FileBackend Open(string path, long? size = null, bool readOnly = false)
    {
        bool create = size is not null && !readOnly;
        SafeFileHandle file = File.OpenHandle(path, create ? FileMode.OpenOrCreate : FileMode.Open,
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
            return new FileBackend(file, length, readOnly, isRegular);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public override void Read(long offset, Span<byte> destination)
    {
        while (!destination.IsEmpty)
        {
            int count = RandomAccess.Read(_file, destination, offset);
            if (count == 0)
            {
                // the file has been truncated: bytes past its end read as zeros
                destination.Clear();
                return;
            }
            destination = destination[count..];
            offset += count;
        }
    }

    /// <inheritdoc/>
    public override void Write(long offset, ReadOnlySpan<byte> source) => RandomAccess.Write(_file, source, offset);

    /// <inheritdoc/>
    public override void WriteZeroes(long offset, long length, bool deallocate)
    {
        if (deallocate && TryPunch(offset, length))
            return;
        while (length > 0)
        {
            int count = (int)Math.Min(length, Zeroes.Length);
            RandomAccess.Write(_file, Zeroes.AsSpan(0, count), offset);
            offset += count;
            length -= count;
        }
    }

    /// <inheritdoc/>
    public override void Deallocate(long offset, long length) => TryPunch(offset, length);

    /// <inheritdoc/>
    protected override void WriteBack() => RandomAccess.FlushToDisk(_file);

    /// <inheritdoc/>
    public override void Clear()
    {
        if (TryPunch(0, Size))
            return;
        if (!_isRegular)
        {
            base.Clear();
            return;
        }
        RandomAccess.SetLength(_file, 0);
        RandomAccess.SetLength(_file, Size);
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

    private bool TryPunch(long offset, long length)
    {
        if (_noHoles)
            return false;
        if (FileHoles.TryPunch(_file, offset, length))
            return true;
        _noHoles = true;
        return false;
    }
}
