using Nvme.Driver;
using VfioUser.Client;
using VfioUser.Nvme.Tests.Support;
using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Nvme.Tests.Controller;

/// <summary>Disks that two hosts reach, while a guest moves from one to the other.</summary>
public sealed class DiskHandOverTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("nvme-");

    private string DiskPath => Path.Combine(_folder.FullName, "disk.img");

    public void Dispose() => _folder.Delete(recursive: true);

    private static byte[] ReadBlock(TestGuest guest, DriverQueue queue)
    {
        Iova page = guest.Memory.Allocate(512);
        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Read, 0, 1, page)));
        return guest.Memory.ReadBytes(page, 512);
    }

    private static void WriteBlock(TestGuest guest, DriverQueue queue, byte[] data) =>
        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Write, 0, 1, guest.Place(data))));

    [Fact]
    public void Target_reads_what_the_source_has_not_flushed_and_not_what_it_has_cached()
    {
        using MemoryDisk medium = new(1 << 20);
        CachingDisk here = new(medium);
        using CachingDisk there = new(medium);
        there.Read(0, new byte[512]); // from before
        using Machine source = new(disks: [here]);
        DriverQueue queue = source.Driver.CreateQueue(1);
        WriteBlock(source.Guest, queue, Machine.Pattern(512));

        using NvmeController target = new([there]);
        using TestGuest guest = source.Guest.MigrateTo(target);
        using NvmeDriver driver = NvmeDriver.Moved(source.Driver, guest);

        ReadBlock(guest, driver.Move(queue)).Should().Equal(Machine.Pattern(512));
    }

    [Fact]
    public void Source_that_cannot_flush_is_not_stopped_and_works_on()
    {
        ScriptedDisk disk = new(1 << 20);
        using Machine source = new(disks: [disk]);
        DriverQueue queue = source.Driver.CreateQueue(1);
        disk.OnFlush = () => throw new IOException("the disk lost what was written");

        FluentActions.Invoking(() => source.Guest.Migration.Save()).Should().Throw<VfioUserException>();

        source.Guest.Migration.GetState().Should().Be(MigrationState.Running);
        source.Guest.AcceptDeviceExceptions().Should().NotBeEmpty();
        WriteBlock(source.Guest, queue, Machine.Pattern(512));
        ReadBlock(source.Guest, queue).Should().Equal(Machine.Pattern(512));
        source.Guest.Reset();
        source.Driver.Enable();
    }

    [Fact]
    public async Task Source_that_hangs_on_a_flush_answers_for_nothing_else_and_stops_then()
    {
        ScriptedDisk disk = new(1 << 20);
        using SemaphoreSlim flushing = new(0);
        using SemaphoreSlim released = new(0);
        using Machine source = new(disks: [disk]);
        disk.OnFlush = () =>
        {
            flushing.Release();
            released.Wait();
        };

        Task<byte[]> saving = Task.Run(() => source.Guest.Migration.Save());
        flushing.Wait(TimeSpan.FromSeconds(60)).Should().BeTrue();
        bool early = saving.IsCompleted;
        released.Release(10);

        early.Should().BeFalse();
        (await saving.WaitAsync(TimeSpan.FromSeconds(60))).Should().NotBeEmpty();
    }

    [Fact]
    public void Disk_in_memory_does_not_move()
    {
        using Machine source = new(disks: [new MemoryDisk(1 << 20)]);
        DriverQueue queue = source.Driver.CreateQueue(1);
        WriteBlock(source.Guest, queue, Machine.Pattern(512));
        using MemoryDisk empty = new(1 << 20);
        using NvmeController target = new([empty]);

        FluentActions.Invoking(() => source.Guest.MigrateTo(target)).Should().Throw<VfioUserException>();
        source.Guest.Migration.Resume();

        ReadBlock(source.Guest, queue).Should().Equal(Machine.Pattern(512));
    }

    [Fact]
    public void File_is_locked_by_the_source_until_its_state_is_saved_and_by_the_target_from_then_on()
    {
        using Machine source = new(disks: [FileDisk.Open(DiskPath, 1 << 20)]);
        DriverQueue queue = source.Driver.CreateQueue(1);
        WriteBlock(source.Guest, queue, Machine.Pattern(512));
        using FileDisk there = FileDisk.Open(DiskPath, new FileDiskOptions { IsIncoming = true });
        using NvmeController target = new([there]);

        FluentActions.Invoking(() => FileDisk.Open(DiskPath)).Should().Throw<IOException>();
        using TestGuest guest = source.Guest.MigrateTo(target);
        FluentActions.Invoking(() => FileDisk.Open(DiskPath)).Should().Throw<IOException>();

        using NvmeDriver driver = NvmeDriver.Moved(source.Driver, guest);
        ReadBlock(guest, driver.Move(queue)).Should().Equal(Machine.Pattern(512));
        FluentActions.Invoking(source.Guest.Migration.Resume).Should().Throw<VfioUserException>("the target has the disk now");
        source.Guest.AcceptDeviceExceptions().Should().Contain(failure => failure.Exception.Message.Contains(DiskPath));
    }

    [Fact]
    public void Source_takes_its_disk_back_when_the_migration_is_called_off()
    {
        using Machine source = new(disks: [FileDisk.Open(DiskPath, 1 << 20)]);
        DriverQueue queue = source.Driver.CreateQueue(1);
        source.Guest.Migration.Save();
        using (FileDisk.Open(DiskPath))
        {
            // another may have it meanwhile
        }

        source.Guest.Migration.Resume();

        FluentActions.Invoking(() => FileDisk.Open(DiskPath)).Should().Throw<IOException>();
        WriteBlock(source.Guest, queue, Machine.Pattern(512));
    }

    [Fact]
    public void Controller_with_an_incoming_disk_takes_it_when_a_guest_boots_instead()
    {
        using Machine machine = new(disks: [FileDisk.Open(Created(), new FileDiskOptions { IsIncoming = true })]);

        FluentActions.Invoking(() => FileDisk.Open(DiskPath)).Should().Throw<IOException>();
        machine.Driver.Status.Should().Be(1);
    }

    [Fact]
    public void Controller_whose_incoming_disk_another_has_does_not_start()
    {
        using FileDisk other = FileDisk.Open(DiskPath, 1 << 20);
        using Machine machine = new(disks: [FileDisk.Open(DiskPath, new FileDiskOptions { IsIncoming = true })], enable: false);

        machine.Driver.Enable();

        machine.Driver.HasFailed.Should().BeTrue();
        machine.Log.Should().ContainSingle().Which.Should().Contain(DiskPath);
        other.Dispose();
        machine.Driver.Disable();
        machine.Driver.Enable();
        machine.Driver.Status.Should().Be(1);
    }

    private string Created()
    {
        FileDisk.Open(DiskPath, 1 << 20).Dispose();
        return DiskPath;
    }
}
