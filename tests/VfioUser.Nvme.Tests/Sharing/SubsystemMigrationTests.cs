using Nvme.Driver;
using VfioUser.Client;
using VfioUser.Nvme.Tests.Support;
using VfioUser.Testing;

namespace VfioUser.Nvme.Tests.Sharing;

/// <summary>A guest with two controllers of one subsystem moves: both go, and then the disk.</summary>
public sealed class SubsystemMigrationTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("nvme-");

    private string DiskPath => Path.Combine(_folder.FullName, "disk.img");

    public void Dispose() => _folder.Delete(recursive: true);

    private SharedDisks Source() => new([new NvmeNamespace(FileDisk.Open(DiskPath, 1 << 20))]);

    // puts the memory of a guest where it was, on another host
    private static TestGuest Arrive(SharedDisks.Path path, NvmeController target, byte[] memory)
    {
        TestGuest guest = TestGuest.Attach(target, new TestGuestOptions { Timeout = TimeSpan.FromSeconds(60) });
        guest.Memory.Allocate((ulong)memory.Length);
        guest.Memory.Write(path.Guest.Memory.Address, memory);
        return guest;
    }

    private static byte[] MemoryOf(SharedDisks.Path path)
    {
        ulong used = path.NewPage() - path.Guest.Memory.Address;
        return path.Guest.Memory.ReadBytes(path.Guest.Memory.Address, (int)used);
    }

    [Fact]
    public void Disk_goes_with_the_last_controller_and_both_go_on()
    {
        using SharedDisks source = Source();
        DriverQueue[] queues = [source[0].Driver.CreateQueue(1), source[1].Driver.CreateQueue(1)];
        for (int i = 0; i < 2; i++)
        {
            for (int block = 0; block < 20; block++)
                queues[i].Put(NewCommand.Io(IoOpcode.Write, (ulong)(i * 20 + block), 1, source[i].Place(Machine.Pattern(512, i * 20 + block + 1))));
            queues[i].Ring(); // and nobody waits
        }

        byte[] first = source[0].Guest.Migration.Save();
        NvmeDriver.Expect(queues[1].Take()); // the other one works on
        FluentActions.Invoking(() => FileDisk.Open(DiskPath)).Should().Throw<IOException>("one controller still uses the disk");
        byte[] second = source[1].Guest.Migration.Save();
        using (FileDisk.Open(DiskPath))
        {
            // nobody does
        }
        byte[][] memories = [MemoryOf(source[0]), MemoryOf(source[1])];
        using FileDisk there = FileDisk.Open(DiskPath, new FileDiskOptions { IsIncoming = true });
        using NvmeSubsystem subsystem = new([new NvmeNamespace(there)]);
        using NvmeController firstTarget = new(subsystem), secondTarget = new(subsystem);
        using TestGuest firstGuest = Arrive(source[0], firstTarget, memories[0]), secondGuest = Arrive(source[1], secondTarget, memories[1]);
        secondGuest.Migration.Restore(second);
        firstGuest.Migration.Restore(first);

        FluentActions.Invoking(() => FileDisk.Open(DiskPath)).Should().Throw<IOException>("it is the target's");
        foreach ((int i, TestGuest guest) in new[] { (0, firstGuest), (1, secondGuest) })
        {
            using NvmeDriver driver = NvmeDriver.Moved(source[i].Driver, guest);
            DriverQueue queue = driver.Move(queues[i]);
            for (int taken = i; taken < 20; taken++)
                NvmeDriver.Expect(queue.Take());
            Iova page = guest.Memory.Allocate(4096);
            for (int block = 0; block < 40; block++)
            {
                NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Read, (ulong)block, 1, page)));
                guest.Memory.ReadBytes(page, 512).Should().Equal(Machine.Pattern(512, block + 1));
            }
        }
    }

    [Fact]
    public void Controllers_whose_target_refuses_one_of_them_take_their_disk_back()
    {
        using SharedDisks source = Source();
        DriverQueue[] queues = [source[0].Driver.CreateQueue(1), source[1].Driver.CreateQueue(1)];
        byte[] first = source[0].Guest.Migration.Save(), second = source[1].Guest.Migration.Save();
        using (FileDisk there = FileDisk.Open(DiskPath, new FileDiskOptions { IsIncoming = true }))
        using (NvmeSubsystem subsystem = new([new NvmeNamespace(there)]))
        using (NvmeController firstTarget = new(subsystem), secondTarget = new(subsystem, new NvmeControllerOptions { ControllerId = 9 }))
        using (TestGuest firstGuest = TestGuest.Attach(firstTarget), secondGuest = TestGuest.Attach(secondTarget))
        {
            firstGuest.Migration.Restore(first);
            FluentActions.Invoking(() => secondGuest.Migration.Restore(second)).Should().Throw<VfioUserException>("it has another id");
            FluentActions.Invoking(source[0].Guest.Migration.Resume).Should().Throw<VfioUserException>("the target has the disk");
            source[0].Guest.AcceptDeviceExceptions().Should().NotBeEmpty();
        }

        source[0].Guest.Migration.Resume();
        source[1].Guest.Migration.Resume();

        for (int i = 0; i < 2; i++)
            NvmeDriver.Expect(queues[i].Execute(NewCommand.Io(IoOpcode.Write, 0, 1, source[i].NewPage())));
        FluentActions.Invoking(() => FileDisk.Open(DiskPath)).Should().Throw<IOException>();
    }

    [Fact]
    public void Controller_of_another_guest_that_stays_keeps_the_disk_here()
    {
        using SharedDisks source = Source();
        using FileDisk there = FileDisk.Open(DiskPath, new FileDiskOptions { IsIncoming = true });
        using NvmeSubsystem subsystem = new([new NvmeNamespace(there)]);
        using NvmeController target = new(subsystem);
        DriverQueue queue = source[0].Driver.CreateQueue(1);

        FluentActions.Invoking(() => source[0].Guest.MigrateTo(target)).Should().Throw<VfioUserException>();
        source[0].Guest.Migration.Resume();

        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Write, 0, 1, source[0].NewPage())));
        there.IsActive.Should().BeFalse();
    }
}
