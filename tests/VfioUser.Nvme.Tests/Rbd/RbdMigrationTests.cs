using VfioUser.Client;
using VfioUser.Nvme.Tests.Support;
using VfioUser.Protocol;
using VfioUser.Testing;
using VfioUser.Tests;
using VfioUser.Tests.Ceph;

namespace VfioUser.Nvme.Tests.Rbd;

/// <summary>A guest that moves between hosts that reach its disk in a Ceph cluster.</summary>
public sealed class RbdMigrationTests
{
    private const int Blocks = 512;

    private static readonly NvmeControllerOptions Options = new() { BlockSize = 4096, SerialNumber = "MOVING" };
    private static readonly TestGuestOptions Patient = new() { Timeout = CephCluster.Limit };

    [CephFact]
    public async Task Guest_that_moves_on_and_on_with_writes_under_way_loses_nothing_and_each_host_gives_the_image_up()
    {
        string image = await CephCluster.CreateImage(16);
        List<IDisposable> hosts = [];
        async Task<(RbdDisk Disk, NvmeController Controller)> NewHost(bool isIncoming)
        {
            RbdDisk disk = await CephCluster.Open(image, new RbdDiskOptions { IsIncoming = isIncoming });
            NvmeController controller = new([disk], Options);
            hosts.AddRange([disk, controller]);
            return (disk, controller);
        }

        (RbdDisk here, NvmeController first) = await NewHost(isIncoming: false);
        using (MovingGuest guest = new(TestGuest.Attach(first, Patient), Blocks))
        {
            guest.BeginWrites();
            guest.EndWrites();
            for (int move = 0; move < 6; move++)
            {
                (RbdDisk there, NvmeController target) = await NewHost(isIncoming: true);
                guest.BeginWrites();
                guest.MoveTo(source => source.MigrateTo(target));
                (here.IsActive, there.IsActive).Should().Be((false, true));
                await FluentActions.Awaiting(() => CephCluster.Open(image)).Should().ThrowAsync<IOException>("the target has the lock").WithMessage("*in use*");
                FluentActions.Invoking(() => Wait.For(here.WriteAsync(0, new byte[4096]))).Should().Throw<DiskException>("the source has it no more");
                guest.EndWrites();
                guest.Verify();
                here = there;
            }
            guest.BeginWrites();
            guest.EndWrites();
            guest.Verify();
            guest.Flush();

            string file = Path.Combine(CephCluster.Folder!, image);
            await CephCluster.Run("rbd", ["export", "vm/" + image, file, "--no-progress"]);
            byte[] exported = await File.ReadAllBytesAsync(file);
            for (int block = 0; block < Blocks; block++)
                exported.AsSpan(block * 4096, 4096).SequenceEqual(guest.Expected(block)).Should().BeTrue("block {0} was flushed", block);
        }

        hosts.Reverse();
        hosts.ForEach(host => host.Dispose());
    }

    [CephFact]
    public async Task Guest_whose_migration_fails_takes_the_image_back_and_moves_later()
    {
        string image = await CephCluster.CreateImage(16);
        using RbdDisk here = await CephCluster.Open(image), there = await CephCluster.Open(image, new RbdDiskOptions { IsIncoming = true });
        using NvmeController source = new([here], Options), other = new([there], Options with { SerialNumber = "OTHER" }), target = new([there], Options);
        using MovingGuest guest = new(TestGuest.Attach(source, Patient), Blocks);

        for (int attempt = 0; attempt < 3; attempt++)
        {
            guest.BeginWrites();
            FluentActions.Invoking(() => guest.Guest.MigrateTo(other)).Should().Throw<VfioUserException>("its disk has another name");
            here.IsActive.Should().BeFalse();
            guest.Guest.Migration.Resume();
            (here.IsActive, there.IsActive).Should().Be((true, false));
            guest.EndWrites();
            guest.Verify();
        }
        guest.BeginWrites();
        guest.MoveTo(stopped => stopped.MigrateTo(target));
        guest.EndWrites();

        guest.Verify();
        FluentActions.Invoking(here.Activate).Should().Throw<IOException>().WithMessage("*in use*");
    }

    [CephFact]
    public async Task Guest_moves_from_one_process_to_another_and_the_first_may_be_killed()
    {
        string image = await CephCluster.CreateImage(16);
        DirectoryInfo folder = Directory.CreateTempSubdirectory("rbd-");
        string here = Path.Combine(folder.FullName, "here.sock"), there = Path.Combine(folder.FullName, "there.sock");
        string[] Arguments(string socket) => ["serve", socket, "--disk", CephCluster.AddressOf(image), "--block-size", "4096"];
        using (SampleProcess source = await SampleProcess.Start("nvme", Arguments(here)), target = await SampleProcess.Start("nvme", [.. Arguments(there), "--incoming"]))
        {
            using MovingGuest guest = new(TestGuest.Connect(here, Patient), Blocks);
            guest.BeginWrites();
            guest.EndWrites();

            guest.BeginWrites();
            guest.MoveTo(stopped => stopped.MigrateTo(there));
            source.Kill();
            guest.EndWrites();

            guest.Verify();
            guest.BeginWrites();
            guest.EndWrites();
            guest.Verify();
        }

        folder.Delete(recursive: true);
    }
}
