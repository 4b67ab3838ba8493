using System.Security.Cryptography;
using System.Text;

namespace VfioUser.Nvme;

/// <summary>The blocks of a namespace, and what all controllers that have it see alike.</summary>
internal sealed class SharedNamespace
{
    private static readonly int[] BlockSizes = [512, 4096];

    private readonly Lock _exclusive = new();
    private readonly Lock _sizing = new();
    private readonly RundownGuard _uses = new();
    private volatile Namespace[] _views = []; // replaced as a whole: whoever asks waits for no format
    private RateLimiter? _limiter;
    private bool _isFusing;
    private bool _isFormatting;
    private int _flushFailed;
    private int _formatCount;
    private int _blockSize;
    private long _blockCount;

    /// <param name="id">Its number.</param>
    /// <param name="options">Its bytes, and what else is said of it.</param>
    /// <param name="blockSize">In bytes, if the options do not say.</param>
    /// <param name="name">Tells it from all other disks.</param>
    /// <exception cref="ArgumentException">The disk cannot be one of such blocks.</exception>
    /// <exception cref="IOException">The file of its reservations cannot be read.</exception>
    public SharedNamespace(uint id, NvmeNamespace options, int blockSize, string name)
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
        AnaGroup = options.AnaGroup;
        Name = name;
        Uuid = UuidOf(name);
        Reservations = new Reservations(options.ReservationPath is { } path ? new ReservationFile(path, Uuid) : null, Notify);
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

    /// <summary>Whether controllers that come later have it attached.</summary>
    public bool IsAttachedToAll { get; init; }

    /// <summary>ANAGRPID.</summary>
    public uint AnaGroup { get; }

    /// <summary>Tells it from all other disks.</summary>
    public string Name { get; }

    /// <summary>The same whenever the same disk is served.</summary>
    public Guid Uuid { get; }

    public LatencyTracker LatencyTracker { get; } = new();

    /// <summary>What a driver has made unreadable.</summary>
    public UncorrectableBlocks Uncorrectable { get; } = new();

    /// <summary>Which hosts may use it.</summary>
    public Reservations Reservations { get; }

    /// <summary>What its commands wait for; null for nothing.</summary>
    public RateLimiter? Limiter
    {
        get => Volatile.Read(ref _limiter);
        set => Volatile.Write(ref _limiter, value);
    }

    /// <summary>Whether a fused operation is alone on the namespace.</summary>
    public bool IsFusing => Volatile.Read(ref _isFusing);

    /// <summary>Whether it is being formatted.</summary>
    public bool IsFormatting => Volatile.Read(ref _isFormatting);

    /// <summary>What controllers have of it, one each.</summary>
    public IReadOnlyList<Namespace> Views => _views;

    /// <summary>Whether a flush has failed.</summary>
    public bool HasLostWrites => Volatile.Read(ref _flushFailed) != 0;

    /// <summary>The identifier that is made of a name.</summary>
    public static Guid UuidOf(string name) => new(SHA256.HashData(Encoding.UTF8.GetBytes(name)).AsSpan(0, 16), bigEndian: true);

    /// <summary>A flush has failed.</summary>
    /// <returns>Whether it is the first one.</returns>
    public bool LoseWrites() => Interlocked.Exchange(ref _flushFailed, 1) == 0;

    /// <summary>Begins to use the disk otherwise, whether the driver sees it or not. False when the namespace is removed.</summary>
    public bool TryUse() => _uses.TryEnter();

    public void EndUse() => _uses.Exit();

    /// <summary>Lets no command of any controller begin any more, and waits for those that have. The thread is the one that ends it.</summary>
    public void BeginFormat()
    {
        _exclusive.Enter();
        Interlocked.Increment(ref _formatCount);
        Volatile.Write(ref _isFormatting, true);
        CloseAll();
    }

    public void EndFormat()
    {
        OpenAll();
        Volatile.Write(ref _isFormatting, false);
        _exclusive.Exit();
    }

    /// <summary>As <see cref="BeginFormat"/>, for a fused operation: whoever cannot begin meanwhile is to be postponed.</summary>
    /// <param name="view">Of the controller that carries it out.</param>
    /// <returns>False if the namespace is not attached to it any more: then nothing has begun.</returns>
    public bool TryBeginFused(Namespace view)
    {
        _exclusive.Enter();
        if (!view.IsAttached)
        {
            _exclusive.Exit();
            return false;
        }
        Volatile.Write(ref _isFusing, true);
        CloseAll();
        return true;
    }

    /// <summary>Ends a fused operation, and has those that were postponed carried out.</summary>
    public void EndFused()
    {
        Namespace[] views = _views;
        OpenAll();
        Volatile.Write(ref _isFusing, false);
        _exclusive.Exit();
        foreach (Namespace view in views)
            view.Set.Resumed(view);
    }

    /// <summary>Waits for the commands of some controllers that have begun; those that come meanwhile are postponed.</summary>
    public void Drain(IReadOnlyList<Namespace> views)
    {
        lock (_exclusive)
        {
            Volatile.Write(ref _isFusing, true);
            foreach (Namespace view in views)
                view.Close();
            foreach (Namespace view in views)
                view.Wait();
            foreach (Namespace view in views)
                view.Open();
            Volatile.Write(ref _isFusing, false);
        }
        foreach (Namespace view in _views)
            view.Set.Resumed(view);
    }

    private void CloseAll()
    {
        foreach (Namespace view in _views)
            view.Close();
        foreach (Namespace view in _views)
            view.Wait();
    }

    private void OpenAll()
    {
        foreach (Namespace view in _views)
            view.Open();
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

    /// <summary>Limits its rate.</summary>
    public void Limit(NvmeRateLimit? limit, Func<TimeProvider> clock) =>
        Limiter = limit is { Commands: not null } or { Bytes: not null } ? new RateLimiter(limit, clock) : null;

    /// <summary>Whether there are such blocks.</summary>
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
    public void Open()
    {
        Disk.SizeChanged += DiskChanged;
        DiskChanged(Disk, EventArgs.Empty);
    }

    /// <summary>A controller has it, too, and does not see it yet.</summary>
    public Namespace AddView(NamespaceSet set)
    {
        Namespace view = new(this, set);
        lock (_exclusive)
            _views = [.. _views, view];
        return view;
    }

    /// <summary>A controller goes.</summary>
    public void RemoveView(Namespace view)
    {
        Detach(view, () => { });
        lock (_exclusive)
            _views = [.. _views.Where(other => other != view)];
    }

    /// <summary>Lets a driver use it.</summary>
    /// <returns>False if it does already, or if the namespace is removed.</returns>
    public bool Attach(Namespace view)
    {
        lock (_exclusive)
        {
            if (view.IsAttached || !_uses.IsOpen)
                return false;
            view.IsAttached = true;
            view.Open();
            return true;
        }
    }

    /// <summary>Takes it away from a driver, and waits for its commands that have begun. Not inside the guard.</summary>
    /// <param name="view">Of the driver's controller.</param>
    /// <param name="gone">Called before the wait.</param>
    /// <returns>False if it is not attached.</returns>
    public bool Detach(Namespace view, Action gone)
    {
        lock (_exclusive)
        {
            if (!view.IsAttached)
                return false;
            view.IsAttached = false;
            gone();
            view.Close();
            view.Wait();
            return true;
        }
    }

    /// <summary>Takes it away from all drivers, and waits for all other uses of the disk, too: there are none from then on.</summary>
    /// <returns>False if it is closed already.</returns>
    public bool Close()
    {
        lock (_exclusive)
        {
            if (!_uses.IsOpen)
                return false;
            foreach (Namespace view in _views)
                Detach(view, () => view.Set.Report(Id));
            Disk.SizeChanged -= DiskChanged;
            _uses.Close();
            _uses.Wait();
            return true;
        }
    }

    /// <summary>It is not as it was: all drivers that have it are told.</summary>
    public void Report()
    {
        foreach (Namespace view in Views)
        {
            if (view.IsAttached)
                view.Set.Report(Id);
        }
    }

    private void Notify(IReadOnlyList<ReservationNotice> notices)
    {
        foreach (ReservationNotice notice in notices)
        {
            foreach (Namespace view in Views)
            {
                if (view.IsAttached && view.Set.Host == notice.Host && (view.NoticeMask >> (int)notice.Kind & 1) == 0)
                    view.Set.Notice(notice.Kind, Id);
            }
        }
    }

    private void DiskChanged(object? disk, EventArgs e)
    {
        if (UpdateSize())
            Report();
    }
}
