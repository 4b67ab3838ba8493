namespace VfioUser.Nvme;

/// <summary>A namespace as a controller has it: whether its driver sees it, and which of its commands are under way.</summary>
/// <param name="shared">The blocks, which other controllers may have, too.</param>
/// <param name="set">Where it belongs.</param>
internal sealed class Namespace(SharedNamespace shared, NamespaceSet set)
{
    private readonly RundownGuard _commands = new(isOpen: false);
    private bool _isAttached;
    private uint _noticeMask;
    private int _pathStatus = (int)set.Ana.StatusOf(shared.AnaGroup);

    public SharedNamespace Shared { get; } = shared;

    public NamespaceSet Set { get; } = set;

    public uint Id => Shared.Id;

    public Disk Disk => Shared.Disk;

    /// <inheritdoc cref="SharedNamespace.InPlace"/>
    public IInPlaceDisk? InPlace => Shared.InPlace;

    public bool MayBlock => Shared.MayBlock;

    public bool IsReadOnly => Shared.IsReadOnly;

    public bool HasVolatileCache => Shared.HasVolatileCache;

    public DiskHints Hints => Shared.Hints;

    /// <inheritdoc cref="SharedNamespace.Formats"/>
    public IReadOnlyList<int> Formats => Shared.Formats;

    /// <inheritdoc cref="SharedNamespace.Format"/>
    public int Format => Shared.Format;

    /// <inheritdoc cref="SharedNamespace.FormatCount"/>
    public int FormatCount => Shared.FormatCount;

    /// <inheritdoc cref="SharedNamespace.BlockSize"/>
    public int BlockSize => Shared.BlockSize;

    /// <inheritdoc cref="SharedNamespace.BlockCount"/>
    public ulong BlockCount => Shared.BlockCount;

    /// <summary>In bytes.</summary>
    public long Length => Shared.Length;

    /// <inheritdoc cref="SharedNamespace.Uuid"/>
    public Guid Uuid => Shared.Uuid;

    public LatencyTracker LatencyTracker => Shared.LatencyTracker;

    /// <inheritdoc cref="SharedNamespace.Limiter"/>
    public RateLimiter? Limiter => Shared.Limiter;

    /// <inheritdoc cref="SharedNamespace.Uncorrectable"/>
    public UncorrectableBlocks Uncorrectable => Shared.Uncorrectable;

    /// <inheritdoc cref="SharedNamespace.HasLostWrites"/>
    public bool HasLostWrites => Shared.HasLostWrites;

    /// <summary>Whether the driver can use it.</summary>
    public bool IsAttached
    {
        get => Volatile.Read(ref _isAttached);
        set => Volatile.Write(ref _isAttached, value);
    }

    /// <summary>Whether commands cannot begin for a while, and are postponed meanwhile: a fused operation is alone on the blocks.</summary>
    public bool IsHeld => Shared.IsFusing;

    /// <summary>How commands end because of the state of the path; Success if they do not.</summary>
    public Status PathStatus
    {
        get => (Status)Volatile.Read(ref _pathStatus);
        set => Volatile.Write(ref _pathStatus, (int)value);
    }

    /// <summary>Which notices of reservations the driver does not want, a bit each.</summary>
    public uint NoticeMask
    {
        get => Volatile.Read(ref _noticeMask);
        set => Volatile.Write(ref _noticeMask, value);
    }

    /// <summary>Whether a reservation of another host keeps the controller's commands from the blocks.</summary>
    public bool IsReserved(bool writes) => !Shared.Reservations.State.Allows(Set.Host, writes);

    /// <summary>Begins a command. False while the namespace is being formatted or held, and when it is not attached.</summary>
    public bool TryBegin() => _commands.TryEnter();

    public void End() => _commands.Exit();

    /// <inheritdoc cref="SharedNamespace.TryUse"/>
    public bool TryUse() => Shared.TryUse();

    public void EndUse() => Shared.EndUse();

    /// <inheritdoc cref="SharedNamespace.Contains"/>
    public bool Contains(ulong lba, ulong count) => Shared.Contains(lba, count);

    /// <summary>Lets no command begin any more.</summary>
    public void Close() => _commands.Close();

    /// <summary>Waits for those that have begun.</summary>
    public void Wait() => _commands.Wait();

    /// <summary>Lets commands begin, if the driver sees it.</summary>
    public void Open()
    {
        if (IsAttached)
            _commands.Open();
    }
}
