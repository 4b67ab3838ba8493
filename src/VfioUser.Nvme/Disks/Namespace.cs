using System.Security.Cryptography;
using System.Text;

namespace VfioUser.Nvme;

/// <summary>A namespace: blocks with a number that the guest knows them by.</summary>
internal sealed class Namespace
{
    private readonly RundownGuard _commands = new();
    private int _flushFailed;

    /// <param name="id">Its number.</param>
    /// <param name="disk">Its bytes.</param>
    /// <param name="blockSize">In bytes.</param>
    /// <param name="name">Tells it from all other disks.</param>
    public Namespace(uint id, NvmeDisk disk, int blockSize, string name)
    {
        Id = id;
        Disk = disk;
        BlockSize = blockSize;
        BlockCount = (ulong)(disk.Size / blockSize);
        byte[] hash = SHA256.HashData(Encoding.UTF8.GetBytes(name));
        Uuid = new Guid(hash.AsSpan(0, 16), bigEndian: true);
    }

    public uint Id { get; }

    public NvmeDisk Disk { get; }

    public int BlockSize { get; }

    public ulong BlockCount { get; }

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

    public bool Contains(ulong lba, ulong count) => lba <= BlockCount && count <= BlockCount - lba;
}
