using System.Security.Cryptography;
using System.Text;

namespace VfioUser.Nvme;

/// <summary>A namespace: blocks with a number that the guest knows them by.</summary>
internal sealed class Namespace
{
    private readonly RundownGuard _commands = new();
    private int _flushFailed;
    private int _hasChanged;
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
        BlockSize = blockSize;
        _blockCount = disk.Size / blockSize;
        InPlace = disk as IInPlaceDisk;
        MayBlock = disk.MayBlock;
        IsReadOnly = options.IsReadOnly || disk.IsReadOnly;
        HasVolatileCache = disk.HasVolatileCache;
        byte[] hash = SHA256.HashData(Encoding.UTF8.GetBytes(name));
        Uuid = new Guid(hash.AsSpan(0, 16), bigEndian: true);
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

    public int BlockSize { get; }

    /// <summary>It changes with the disk's size.</summary>
    public ulong BlockCount => (ulong)Volatile.Read(ref _blockCount);

    /// <summary>In bytes.</summary>
    public long Length => (long)BlockCount * BlockSize;

    /// <summary>The same whenever the same disk is served.</summary>
    public Guid Uuid { get; }

    public LatencyTracker LatencyTracker { get; } = new();

    /// <summary>Whether a flush has failed.</summary>
    public bool HasLostWrites => Volatile.Read(ref _flushFailed) != 0;

    /// <summary>A flush has failed.</summary>
    /// <returns>Whether it is the first one.</returns>
    public bool LoseWrites() => Interlocked.Exchange(ref _flushFailed, 1) == 0;

    /// <summary>Begins a command. False while the namespace is being formatted.</summary>
    public bool TryBegin() => _commands.TryEnter();

    public void End() => _commands.Exit();

    /// <summary>Lets no command begin any more, and waits for those that have.</summary>
    public void BeginFormat()
    {
        _commands.Close();
        _commands.Wait();
    }

    public void EndFormat() => _commands.Open();

    public bool Contains(ulong lba, ulong count)
    {
        ulong blocks = BlockCount;
        return lba <= blocks && count <= blocks - lba;
    }

    /// <summary>The disk may have another size.</summary>
    /// <returns>Whether it has.</returns>
    public bool UpdateSize()
    {
        long blocks = Math.Max(Disk.Size, 0) / BlockSize;
        if (Interlocked.Exchange(ref _blockCount, blocks) == blocks)
            return false;
        Volatile.Write(ref _hasChanged, 1);
        return true;
    }

    /// <summary>Whether it has changed since the last call: the driver reads it.</summary>
    public bool TakeChanged() => Interlocked.Exchange(ref _hasChanged, 0) != 0;
}
