namespace VfioUser.Virtio.Tests.Block;

/// <summary>Alone, for allocations are counted for the whole process.</summary>
[CollectionDefinition(nameof(BlockAllocationTests), DisableParallelization = true)]
[Collection(nameof(BlockAllocationTests))]
public class BlockAllocationTests
{
    private const int Requests = 4000;
    private const int Rounds = 10;

    [Theory]
    [InlineData("memory", Layout.SplitWithEvents)]
    [InlineData("memory", Layout.PackedWithEvents)]
    [InlineData("file", Layout.PackedWithEvents)]
    [InlineData("of one's own", Layout.PackedWithEvents)]
    public void Reads_and_writes_allocate_nothing(string kind, Layout layout)
    {
        string path = Path.GetTempFileName();
        try
        {
            Disk disk = kind switch
            {
                "memory" => new MemoryDisk(1 << 20),
                "file" => FileDisk.Open(path, 1 << 20),
                _ => new ArrayDisk(new byte[1 << 20]),
            };
            using BlockGuest guest = new(disk, layout: layout);
            (VirtioPart[] Write, VirtioPart[] Read) parts = (Parts(guest, BlockRequestType.Write), Parts(guest, BlockRequestType.Read));
            Run(guest, parts, 500);

            // The runner's threads allocate now and then, and in one round they may not; an object a request is in each.
            Enumerable.Range(0, Rounds).Select(_ => Allocated(() => Run(guest, parts, Requests)))
                .Should().Contain(bytes => bytes < Requests * 8, "an object would be 24 bytes a request");
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static VirtioPart[] Parts(BlockGuest guest, BlockRequestType type) =>
    [
        new(guest.Guest.Place(BlockGuest.Header(type, 8)), BlockHeader.Size, writable: false),
        new(guest.Guest.Memory.Allocate(4096), 4096, writable: type == BlockRequestType.Read),
        new(guest.Guest.Memory.Allocate(1), 1, writable: true),
    ];

    private static long Allocated(Action action)
    {
        long before = GC.GetTotalAllocatedBytes(precise: true);
        action();
        return GC.GetTotalAllocatedBytes(precise: true) - before;
    }

    private static void Run(BlockGuest guest, (VirtioPart[] Write, VirtioPart[] Read) parts, int requests)
    {
        for (int done = 0; done < requests;)
        {
            int depth = 1 + done % 8;
            for (int i = 0; i < depth; i++)
                guest.Queue.Add(i % 2 == 0 ? parts.Write : parts.Read);
            guest.Queue.Notify();
            for (int i = 0; i < depth; i++)
                guest.Queue.Take();
            done += depth;
        }
    }

    private sealed class ArrayDisk(byte[] bytes) : Disk
    {
        public override long Size => bytes.Length;

        public override bool MayBlock => false;

        public override ValueTask ReadAsync(long offset, Memory<byte> destination, CancellationToken cancellation = default)
        {
            bytes.AsMemory((int)offset, destination.Length).CopyTo(destination);
            return default;
        }

        public override ValueTask WriteAsync(long offset, ReadOnlyMemory<byte> source, CancellationToken cancellation = default)
        {
            source.CopyTo(bytes.AsMemory((int)offset));
            return default;
        }
    }
}
