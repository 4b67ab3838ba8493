namespace VfioUser.Virtio.Tests.Block;

/// <summary>Which thread calls the disk.</summary>
public sealed class BlockThreadTests
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(30);

    [Fact]
    public void Disk_that_does_not_block_is_called_on_the_thread_of_the_notification()
    {
        ScriptedDisk disk = new(BlockGuest.DiskSize);
        HashSet<string?> threads = CalledOn(disk);
        using BlockGuest guest = new(disk);

        // the worker may be awake, for a while
        SpinWait.SpinUntil(() => guest.Read(0, 512).Length == 512 && threads.Any(static name => !IsWorker(name)), Timeout).Should().BeTrue();
    }

    [Fact]
    public void Disk_that_blocks_is_called_on_other_threads()
    {
        ScriptedDisk disk = new(BlockGuest.DiskSize, blocks: true);
        HashSet<string?> threads = CalledOn(disk);
        using BlockGuest guest = new(disk);

        for (int i = 0; i < 600; i++)
            guest.Read(0, 512);

        threads.Should().OnlyContain(static name => IsWorker(name));
    }

    [Fact]
    public void Memory_by_message_is_left_to_the_worker()
    {
        ScriptedDisk disk = new(BlockGuest.DiskSize);
        HashSet<string?> threads = CalledOn(disk);
        using BlockGuest guest = new(disk, memory: GuestMemoryKind.SingleSocket);

        for (int i = 0; i < 600; i++)
            guest.Read(0, 512);

        threads.Should().OnlyContain(static name => IsWorker(name));
    }

    private static bool IsWorker(string? name) => name is not null && name.StartsWith("virtio", StringComparison.Ordinal);

    private static HashSet<string?> CalledOn(ScriptedDisk disk)
    {
        HashSet<string?> threads = [];
        disk.Before = (_, _, _) =>
        {
            threads.Add(Thread.CurrentThread.Name);
            return Task.CompletedTask;
        };
        return threads;
    }
}
