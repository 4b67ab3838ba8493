using Nvme.Backends;
using Nvme.Driver;
using Nvme.Tests.Support;
using Nvme.Wire;
using VfioUser;

namespace Nvme.Tests.Io;

/// <summary>Alone, for allocations are counted for the whole process.</summary>
[CollectionDefinition(nameof(AllocationTests), DisableParallelization = true)]
[Collection(nameof(AllocationTests))]
public class AllocationTests
{
    private const int Commands = 4000;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Reads_and_writes_allocate_nothing(bool inFile)
    {
        string path = Path.GetTempFileName();
        try
        {
            Backend disk = inFile ? FileBackend.Open(path, 8 << 20) : new MemoryBackend(8 << 20);
            using Machine machine = new(disks: [disk]);
            DriverQueue queue = machine.Driver.CreateQueue(1);
            Iova page = machine.NewPage();
            Run(queue, page, 500);

            long before = GC.GetTotalAllocatedBytes(precise: true);
            Run(queue, page, Commands);
            long after = GC.GetTotalAllocatedBytes(precise: true);

            // what other threads of the process do meanwhile is less than a byte a command; an object would be 24
            (after - before).Should().BeLessThan(Commands * 8);
        }
        finally
        {
            File.Delete(path);
        }
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
