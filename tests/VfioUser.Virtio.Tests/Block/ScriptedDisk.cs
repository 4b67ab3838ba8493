using System.Collections.Concurrent;

namespace VfioUser.Virtio.Tests.Block;

/// <summary>A disk that does as a test says: it waits, fails, and tells what it was asked.</summary>
internal sealed class ScriptedDisk(int size, bool blocks = false, bool hasCache = false) : Disk
{
    private readonly byte[] _bytes = new byte[size];

    /// <summary>Called before each access, with its kind and offset.</summary>
    public Func<string, long, CancellationToken, Task> Before { get; set; } = static (_, _, _) => Task.CompletedTask;

    public ConcurrentQueue<string> Calls { get; } = new();

    public override long Size => _bytes.Length;

    public override string Identity => "scripted";

    public override bool MayBlock => blocks;

    public override bool HasVolatileCache => hasCache;

    public override async ValueTask ReadAsync(long offset, Memory<byte> destination, CancellationToken cancellation = default)
    {
        await Begin("read", offset, cancellation);
        _bytes.AsMemory((int)offset, destination.Length).CopyTo(destination);
    }

    public override async ValueTask WriteAsync(long offset, ReadOnlyMemory<byte> source, CancellationToken cancellation = default)
    {
        await Begin("write", offset, cancellation);
        source.CopyTo(_bytes.AsMemory((int)offset));
    }

    public override async ValueTask WriteDurablyAsync(long offset, ReadOnlyMemory<byte> source, CancellationToken cancellation = default)
    {
        await Begin("write durably", offset, cancellation);
        source.CopyTo(_bytes.AsMemory((int)offset));
    }

    protected override ValueTask WriteBackAsync() => new(Begin("flush", 0, CancellationToken.None));

    private Task Begin(string call, long offset, CancellationToken cancellation)
    {
        Calls.Enqueue(call);
        return Before(call, offset, cancellation);
    }
}
