using VfioUser.Disks.Tests.Support;
using VfioUser.Tests.Ceph;

namespace VfioUser.Disks.Tests.Rbd;

/// <summary>Images in a cluster whose OSDs are killed.</summary>
[Collection("Ceph")] // one cluster: one test at a time
public sealed class RbdFailureTests
{
    private const int Block = 16384;
    private const int Blocks = 1024;
    private const int AtOnce = 16;

    [CephFact]
    public async Task Nothing_is_lost_when_each_osd_is_killed_in_turn_while_writes_run()
    {
        string image = await CephCluster.CreateImage(Blocks * Block >> 20);
        int[] rounds = new int[Blocks]; // what was answered last
        using (RbdDisk disk = await CephCluster.Open(image))
        {
            using CancellationTokenSource enough = new();
            Task[] writers = [.. Enumerable.Range(0, AtOnce).Select(writer => Task.Run(() => Write(disk, writer, rounds, enough.Token)))];
            for (int osd = 0; osd < 2; osd++)
            {
                await CephCluster.KillOsd(osd);
                await OneMoreRound(rounds, writers); // with one OSD
                await CephCluster.StartOsd(osd);
                await CephCluster.WaitUntilClean();
            }
            await enough.CancelAsync();
            await Task.WhenAll(writers).WaitAsync(CephCluster.Limit);
            await disk.FlushAsync().AsTask().WaitAsync(CephCluster.Limit);
        }

        // each OSD alone has all
        for (int osd = 0; osd < 2; osd++)
        {
            await CephCluster.KillOsd(osd);
            using (RbdDisk disk = await CephCluster.Open(image, new RbdDiskOptions { IsReadOnly = true }))
            {
                byte[] found = new byte[Block];
                for (int block = 0; block < Blocks; block++)
                {
                    await disk.ReadAsync((long)block * Block, found).AsTask().WaitAsync(CephCluster.Limit);
                    found.AsSpan().SequenceEqual(Expected(block, rounds[block])).Should().BeTrue("block {0} was written in round {1}", block, rounds[block]);
                }
            }
            await CephCluster.StartOsd(osd);
            await CephCluster.WaitUntilClean();
        }
    }

    [CephFact]
    public async Task Access_fails_after_a_time_if_the_disk_gives_up_and_waits_if_it_does_not()
    {
        string patient = await CephCluster.CreateImage(16), hasty = await CephCluster.CreateImage(16);
        using RbdDisk waits = await CephCluster.Open(patient);
        using RbdDisk fails = await CephCluster.Open(hasty, new RbdDiskOptions { GiveUpAfter = TimeSpan.FromSeconds(1) });
        foreach (RbdDisk disk in (RbdDisk[])[waits, fails])
            await disk.WriteAsync(0, Pattern.Of(512)).AsTask().WaitAsync(CephCluster.Limit); // what was never written is known here
        Func<Task> failing = () => fails.ReadAsync(0, new byte[512]).AsTask().WaitAsync(CephCluster.Limit);
        try
        {
            await CephCluster.KillOsd(0);
            await CephCluster.KillOsd(1);

            Task waiting = waits.ReadAsync(0, new byte[512]).AsTask();

            (await failing.Should().ThrowAsync<DiskException>()).Which.Error.Should().Be(DiskError.NotReady);
            waiting.IsCompleted.Should().BeFalse();
            await CephCluster.StartOsd(1); // the other one may have missed something
            await waiting.WaitAsync(CephCluster.Limit);
        }
        finally
        {
            await CephCluster.StartOsd(0); // before the disks are closed, which is told to the cluster
            await CephCluster.StartOsd(1);
        }
        await CephCluster.WaitUntilClean();
        await failing.Should().NotThrowAsync("the cluster is back");
    }

    // each writer has blocks of its own, and writes them in turn
    private static async Task Write(RbdDisk disk, int writer, int[] rounds, CancellationToken enough)
    {
        for (int round = 1; !enough.IsCancellationRequested; round++)
        {
            for (int block = writer; block < Blocks && !enough.IsCancellationRequested; block += AtOnce)
            {
                await disk.WriteAsync((long)block * Block, Expected(block, round), CancellationToken.None);
                Volatile.Write(ref rounds[block], round);
            }
        }
    }

    // every block has been written once more
    private static async Task OneMoreRound(int[] rounds, Task[] writers)
    {
        int[] before = [.. rounds];
        long limit = Environment.TickCount64 + (long)CephCluster.Limit.TotalMilliseconds;
        while (rounds.Zip(before).Any(pair => pair.First == pair.Second) && !Array.Exists(writers, writer => writer.IsCompleted))
        {
            (Environment.TickCount64 < limit).Should().BeTrue("writes go on with one OSD");
            await Task.Yield();
        }
    }

    private static byte[] Expected(int block, int round) => round == 0 ? new byte[Block] : Pattern.Of(Block, block * 10_000 + round);
}
