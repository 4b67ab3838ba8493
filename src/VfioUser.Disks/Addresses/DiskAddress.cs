namespace VfioUser.Disks;

/// <summary>Which disk is meant, as it stands on a command line or in a configuration. Immutable.</summary>
/// <remarks>
/// <code>
/// disk.img, file:disk.img, /dev/sdb           a file or block device: FileDisk
/// memory:512M                                 memory: MemoryDisk
/// nbd://host[:port]/export                    an export of an NBD server: NbdDisk
/// nbd+unix:///export?socket=path
/// rbd:pool/image[@snapshot][:option=value]    an image in a Ceph cluster: RbdDisk
/// </code>
/// </remarks>
public sealed record DiskAddress
{
    private const string FilePrefix = "file:";
    private const string MemoryPrefix = "memory:";

    private readonly string _text;
    private readonly Kind _kind;
    private readonly long _memorySize;

    private DiskAddress(string text, Kind kind, long memorySize = 0) => (_text, _kind, _memorySize) = (text, kind, memorySize);

    private enum Kind
    {
        File,
        Memory,
        Nbd,
        Rbd,
    }

    /// <summary>Parses an address.</summary>
    /// <exception cref="ArgumentException">It is none. The message says why.</exception>
    public static DiskAddress Parse(string text)
    {
        ArgumentException.ThrowIfNullOrEmpty(text);
        if (text.StartsWith("nbd", StringComparison.Ordinal) && text.Contains("://", StringComparison.Ordinal))
        {
            _ = NbdAddress.Parse(text);
            return new DiskAddress(text, Kind.Nbd);
        }
        if (text.StartsWith(RbdAddress.Prefix, StringComparison.Ordinal))
        {
            _ = RbdAddress.Parse(text);
            return new DiskAddress(text, Kind.Rbd);
        }
        if (text.StartsWith(MemoryPrefix, StringComparison.Ordinal))
        {
            long? size = ByteSize.TryParse(text[MemoryPrefix.Length..]);
            return size is > 0 and <= MemoryDisk.MaxSize ? new DiskAddress(text, Kind.Memory, size.Value)
                : throw new ArgumentException($"'{text}' has no size of a disk in memory: {MemoryPrefix}512M, for example.", nameof(text));
        }
        string path = text.StartsWith(FilePrefix, StringComparison.Ordinal) ? text[FilePrefix.Length..] : text;
        return path.Length > 0 ? new DiskAddress(path, Kind.File) : throw new ArgumentException($"'{text}' has no path.", nameof(text));
    }

    /// <summary>Opens the disk.</summary>
    /// <param name="options">Null for the defaults. What does not concern the kind of disk has no effect.</param>
    /// <param name="cancellation">Ends the attempt to connect.</param>
    /// <returns>The caller's to dispose.</returns>
    /// <exception cref="IOException">It cannot be opened. The message says why.</exception>
    public async Task<Disk> OpenAsync(DiskOptions? options = null, CancellationToken cancellation = default)
    {
        options ??= new DiskOptions();
        switch (_kind)
        {
            case Kind.Memory:
                return new MemoryDisk(_memorySize);
            case Kind.Nbd:
                return await NbdDisk.ConnectAsync(_text, new NbdDiskOptions { IsReadOnly = options.IsReadOnly, Log = options.Log }, cancellation).ConfigureAwait(false);
            case Kind.Rbd:
                return await RbdDisk.OpenAsync(_text, RbdOptions(options), cancellation).ConfigureAwait(false);
            default:
                return OpenFile(options);
        }
    }

    /// <summary>As in a line of a log.</summary>
    public override string ToString() => _text;

    private static RbdDiskOptions RbdOptions(DiskOptions options) => new()
    {
        IsReadOnly = options.IsReadOnly,
        IsIncoming = options.IsIncoming,
        IsCached = options.Cache is FileCacheMode.Writeback or FileCacheMode.Unsafe,
        Log = options.Log,
    };

    private FileDisk OpenFile(DiskOptions options)
    {
        try
        {
            return FileDisk.Open(_text, new FileDiskOptions
            {
                Size = options.Size,
                IsReadOnly = options.IsReadOnly,
                IsIncoming = options.IsIncoming,
                Cache = options.Cache,
            });
        }
        catch (FileNotFoundException e)
        {
            throw new IOException($"There is no {_text}; with a size it is made.", e);
        }
    }
}
