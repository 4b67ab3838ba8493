using Nvme.Driver;
using VfioUser.Nvme.Tests.Support;

namespace VfioUser.Nvme.Tests.Io;

/// <summary>Alone, for allocations are counted for the whole process.</summary>
[CollectionDefinition(nameof(AllocationTests), DisableParallelization = true)]
[Collection(nameof(AllocationTests))]
public class AllocationTests
{
    private const int Commands = 4000;
    private const int Rounds = 10;

    [Theory]
    [InlineData("memory")]
    [InlineData("file")]
    [InlineData("of one's own")]
    public void Reads_and_writes_allocate_nothing(string kind)
    {
        string path = Path.GetTempFileName();
        try
        {
            Disk disk = kind switch
            {
                "memory" => new MemoryDisk(8 << 20),
                "file" => FileDisk.Open(path, 8 << 20),
                _ => new ScriptedDisk(8 << 20, blocks: false),
            };
            using Machine machine = new(disks: [disk]);
            DriverQueue queue = machine.Driver.CreateQueue(1);
            Iova page = machine.NewPage();
            Run(queue, page, 500);

            // The runner's threads allocate now and then, and in one round they may not; an object a command is in each.
            Enumerable.Range(0, Rounds).Select(_ => Allocated(() => Run(queue, page, Commands)))
                .Should().Contain(bytes => bytes < Commands * 8, "an object would be 24 bytes a command");
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static long Allocated(Action action)
    {
        long before = GC.GetTotalAllocatedBytes(precise: true);
        action();
        return GC.GetTotalAllocatedBytes(precise: true) - before;
    }

    private static void Run(DriverQueue queue, Iova page, int commands)
    {
        for (int done = 0; done < commands;)
        {
            int depth = 1 + done % 8;
            for (int i = 0; i < depth; i++)
                queue.Put(NewCommand.Io(i % 2 == 0 ? IoOpcode.Write : IoOpcode.Read, (ulong)(i * 8), 8, page));
            queue.Ring();
            for (int i = 0; i < depth; i++)
                NvmeDriver.Expect(queue.Take());
            done += depth;
        }
    }
}
