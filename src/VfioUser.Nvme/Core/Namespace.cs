using System.Security.Cryptography;
using System.Text;

namespace VfioUser.Nvme;

/// <summary>A namespace: blocks with a number that the guest knows them by.</summary>
internal sealed class Namespace
{
    private static readonly int[] BlockSizes = [512, 4096];

    private readonly Lock _exclusive = new();
    private readonly Lock _sizing = new();
    private readonly RundownGuard _commands = new(isOpen: false);
    private readonly RundownGuard _uses = new();
    private Action<Namespace>? _sizeChanged;
    private RateLimiter? _limiter;
    private bool _isAttached;
    private bool _isFusing;
    private int _flushFailed;
    private int _formatCount;
    private int _blockSize;
    private long _blockCount;

    /// <param name="id">Its number.</param>
    /// <param name="options">Its bytes, and what else is said of it.</param>
    /// <param name="blockSize">In bytes, if the options do not say.</param>
    /// <param name="name">Tells it from all other disks.</param>
    /// <exception cref="ArgumentException">The disk cannot be one of such blocks.</exception>
    public Namespace(uint id, NvmeNamespace options, int blockSize, string name)
    {
        Disk disk = options.Disk;
        blockSize = options.BlockSize ?? blockSize;
        Hints = disk.Hints;
        Hints.Check();
        if (blockSize is not (512 or 4096))
            throw new ArgumentException($"A block has 512 or 4096 bytes, not {blockSize}.");
        if (blockSize < Hints.BlockSize)
            throw new ArgumentException($"Namespace {id} has blocks of {blockSize} bytes, and its disk of {Hints.BlockSize}.");
        if (disk.Size < blockSize)
            throw new ArgumentException($"A disk has at least one block of {blockSize} bytes: namespace {id} has {disk.Size} bytes.");
        Id = id;
        Disk = disk;
        InPlace = disk.MayBlock ? null : disk as IInPlaceDisk; // a reset does not wait for a disk that blocks
        MayBlock = disk.MayBlock;
        IsReadOnly = options.IsReadOnly || disk.IsReadOnly;
        HasVolatileCache = disk.HasVolatileCache;
        Formats = IsReadOnly ? [blockSize] : [.. BlockSizes.Where(size => size >= Hints.BlockSize && (size == blockSize || size <= disk.Size))];
        _blockSize = blockSize;
        _blockCount = disk.Size / blockSize;
        Name = name;
        Uuid = UuidOf(name);
    }

    public uint Id { get; }

    public Disk Disk { get; }

    /// <summary>The same disk if its bytes are in memory.</summary>
    public IInPlaceDisk? InPlace { get; }

    // what a disk says of itself is asked once: a command has no call to spare
    public bool MayBlock { get; }

    public bool IsReadOnly { get; }

    public bool HasVolatileCache { get; }

    public DiskHints Hints { get; }

    /// <summary>Sizes that its blocks can have, in bytes: an LBA format each.</summary>
    public IReadOnlyList<int> Formats { get; }

    /// <summary>Which of them it has.</summary>
    public int Format => Array.IndexOf([.. Formats], BlockSize);

    /// <summary>How often it was formatted.</summary>
    public int FormatCount => Volatile.Read(ref _formatCount);

    /// <summary>In bytes. A format changes it, while no command is under way.</summary>
    public int BlockSize => Volatile.Read(ref _blockSize);

    /// <summary>It changes with the disk's size.</summary>
    public ulong BlockCount => (ulong)Volatile.Read(ref _blockCount);

    /// <summary>In bytes.</summary>
    public long Length
    {
        get
        {
            lock (_sizing)
                return _blockCount * _blockSize;
        }
    }

    /// <summary>Tells it from all other disks.</summary>
    public string Name { get; }

    /// <summary>The same whenever the same disk is served.</summary>
    public Guid Uuid { get; }

    public LatencyTracker LatencyTracker { get; } = new();

    /// <summary>What a driver has made unreadable.</summary>
    public UncorrectableBlocks Uncorrectable { get; } = new();

    /// <summary>What its commands wait for; null for nothing.</summary>
    public RateLimiter? Limiter
    {
        get => Volatile.Read(ref _limiter);
        set => Volatile.Write(ref _limiter, value);
    }

    /// <summary>Whether commands cannot begin because a fused operation is alone on the namespace: they are postponed.</summary>
    public bool IsFusing
    {
        get => Volatile.Read(ref _isFusing);
        private set => Volatile.Write(ref _isFusing, value);
    }

    /// <summary>Whether the driver can use it.</summary>
    public bool IsAttached => Volatile.Read(ref _isAttached);

    /// <summary>Whether a flush has failed.</summary>
    public bool HasLostWrites => Volatile.Read(ref _flushFailed) != 0;

    /// <summary>The identifier that is made of a name.</summary>
    public static Guid UuidOf(string name) => new(SHA256.HashData(Encoding.UTF8.GetBytes(name)).AsSpan(0, 16), bigEndian: true);

    /// <summary>A flush has failed.</summary>
    /// <returns>Whether it is the first one.</returns>
    public bool LoseWrites() => Interlocked.Exchange(ref _flushFailed, 1) == 0;

    /// <summary>Begins a command. False while the namespace is being formatted, and when it is not attached.</summary>
    public bool TryBegin() => _commands.TryEnter();

    public void End() => _commands.Exit();

    /// <summary>Begins to use the disk otherwise, whether the driver sees it or not. False when the namespace is removed.</summary>
    public bool TryUse() => _uses.TryEnter();

    public void EndUse() => _uses.Exit();

    /// <summary>Lets no command begin any more, and waits for those that have. The thread is the one that ends it.</summary>
    public void BeginFormat()
    {
        _exclusive.Enter();
        Interlocked.Increment(ref _formatCount);
        _commands.Close();
        _commands.Wait();
    }

    public void EndFormat()
    {
        if (IsAttached)
            _commands.Open();
        _exclusive.Exit();
    }

    /// <summary>As <see cref="BeginFormat"/>, for a fused operation: whoever cannot begin meanwhile is to be postponed.</summary>
    /// <returns>False if the namespace is not attached any more: then nothing has begun.</returns>
    public bool TryBeginFused()
    {
        _exclusive.Enter();
        if (!IsAttached)
        {
            _exclusive.Exit();
            return false;
        }
        IsFusing = true;
        _commands.Close();
        _commands.Wait();
        return true;
    }

    /// <summary>Ends a fused operation. Those that were postponed are to be tried again then.</summary>
    public void EndFused()
    {
        _commands.Open();
        IsFusing = false;
        _exclusive.Exit();
    }

    /// <summary>Gives it blocks of another size, during a format or before there are commands.</summary>
    /// <param name="format">One of <see cref="Formats"/>, by number.</param>
    /// <returns>Whether it had others before.</returns>
    public bool SetFormat(int format)
    {
        lock (_sizing)
        {
            if (_blockSize == Formats[format])
                return false;
            Volatile.Write(ref _blockSize, Formats[format]);
            Volatile.Write(ref _blockCount, Math.Max(Disk.Size, 0) / _blockSize);
            return true;
        }
    }

    public bool Contains(ulong lba, ulong count)
    {
        ulong blocks = BlockCount;
        return lba <= blocks && count <= blocks - lba;
    }

    /// <summary>The disk may have another size.</summary>
    /// <returns>Whether it has.</returns>
    public bool UpdateSize()
    {
        lock (_sizing)
        {
            long blocks = Math.Max(Disk.Size, 0) / _blockSize;
            if (blocks == _blockCount)
                return false;
            Volatile.Write(ref _blockCount, blocks);
            return true;
        }
    }

    /// <summary>Follows the size of its disk from now on.</summary>
    /// <param name="sizeChanged">Called when it has changed. Any thread.</param>
    public void Open(Action<Namespace> sizeChanged)
    {
        _sizeChanged = sizeChanged;
        Disk.SizeChanged += DiskChanged;
        DiskChanged(Disk, EventArgs.Empty);
    }

    /// <summary>Lets the driver use it.</summary>
    /// <returns>False if it does already, or if the namespace is removed.</returns>
    public bool Attach()
    {
        lock (_exclusive)
        {
            if (IsAttached || !_uses.IsOpen)
                return false;
            _commands.Open();
            Volatile.Write(ref _isAttached, true);
            return true;
        }
    }

    /// <summary>Takes it away from the driver, and waits for its commands that have begun. Not inside the guard.</summary>
    /// <param name="gone">Called before the wait.</param>
    /// <returns>False if it is not attached.</returns>
    public bool Detach(Action gone)
    {
        lock (_exclusive)
        {
            if (!IsAttached)
                return false;
            Volatile.Write(ref _isAttached, false);
            gone();
            _commands.Close();
            _commands.Wait();
            return true;
        }
    }

    /// <summary>As <see cref="Detach"/>, and waits for all other uses of the disk, too: there are none from then on.</summary>
    /// <returns>False if it is closed already.</returns>
    public bool Close(Action gone)
    {
        lock (_exclusive)
        {
            if (!_uses.IsOpen)
                return false;
            Detach(gone);
            Disk.SizeChanged -= DiskChanged;
            _uses.Close();
            _uses.Wait();
            return true;
        }
    }

    private void DiskChanged(object? disk, EventArgs e)
    {
        if (UpdateSize())
            _sizeChanged?.Invoke(this);
    }
}
