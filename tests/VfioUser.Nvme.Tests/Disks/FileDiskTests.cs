using Microsoft.Win32.SafeHandles;
using Nvme.Driver;
using VfioUser.Nvme.Tests.Support;

namespace VfioUser.Nvme.Tests.Disks;

public sealed class FileDiskTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("nvme-");

    private string DiskPath => Path.Combine(_folder.FullName, "disk.img");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void Guest_writes_are_in_the_file()
    {
        byte[] data = Machine.Pattern(4096);
        using (Machine machine = new(disks: [FileDisk.Open(DiskPath, 1 << 20)]))
        {
            DriverQueue queue = machine.Driver.CreateQueue(1);
            NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Write, 24, 8, machine.Guest.Place(data))));
            NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Flush)));
        }

        using Machine again = new(disks: [FileDisk.Open(DiskPath)]);
        Iova page = again.NewPage();
        NvmeDriver.Expect(again.Driver.CreateQueue(1).Execute(NewCommand.Io(IoOpcode.Read, 24, 8, page)));

        again.Read(page, 4096).Should().Equal(data);
        (again.Page(NewCommand.Identify(1, default))[525] & 1).Should().Be(1, "the page cache is a volatile one");
    }

    [Fact]
    public void Many_commands_at_one_time_all_find_their_place()
    {
        using Machine machine = new(disks: [FileDisk.Open(DiskPath, 4 << 20)]);
        DriverQueue queue = machine.Driver.CreateQueue(1, 256);
        Iova[] pages = [.. Enumerable.Range(0, 200).Select(i => machine.Guest.Place(Machine.Pattern(4096, i)))];

        for (int i = 0; i < pages.Length; i++)
            queue.Put(NewCommand.Io(IoOpcode.Write, (ulong)(i * 8), 8, pages[i]));
        queue.Ring();
        HashSet<ushort> ids = [];
        for (int i = 0; i < pages.Length; i++)
            ids.Add(NvmeDriver.Expect(queue.Take()).CommandId);

        ids.Should().HaveCount(200);
        byte[] block = new byte[4096];
        for (int i = 0; i < pages.Length; i++)
        {
            machine.Disk.Read(i * 4096, block);
            block.Should().Equal(Machine.Pattern(4096, i));
        }
    }

    [Fact]
    public void Read_only_disk_can_be_read_and_says_what_it_is()
    {
        File.WriteAllBytes(DiskPath, Machine.Pattern(1 << 20));
        using Machine machine = new(disks: [FileDisk.Open(DiskPath, new FileDiskOptions { IsReadOnly = true })]);
        DriverQueue queue = machine.Driver.CreateQueue(1);
        Iova page = machine.NewPage();

        Completion read = queue.Execute(NewCommand.Io(IoOpcode.Read, 0, 8, page));
        Completion write = queue.Execute(NewCommand.Io(IoOpcode.Write, 0, 8, page));
        Completion zeroes = queue.Execute(NewCommand.Io(IoOpcode.WriteZeroes, 0, 8));
        Completion format = machine.Admin.Execute(NewCommand.Admin(AdminOpcode.FormatNvm, 1));

        read.Status.Should().Be(Status.Success);
        machine.Read(page, 4096).Should().Equal(Machine.Pattern(1 << 20)[..4096]);
        write.Status.Should().Be(Status.NamespaceWriteProtected);
        zeroes.Status.Should().Be(Status.NamespaceWriteProtected);
        format.Status.Should().Be(Status.NamespaceWriteProtected);
        machine.Page(NewCommand.Identify(0, default, nsid: 1))[99].Should().Be(1);
    }

    [Fact]
    public void File_that_has_become_shorter_is_a_medium_that_lost_data()
    {
        File.WriteAllBytes(DiskPath, Machine.Pattern(1 << 20));
        using Machine machine = new(disks: [FileDisk.Open(DiskPath)]);
        DriverQueue queue = machine.Driver.CreateQueue(1);
        using (SafeFileHandle file = FileSystemCalls.OpenUnlocked(DiskPath))
            RandomAccess.SetLength(file, 4096);

        Completion before = queue.Execute(NewCommand.Io(IoOpcode.Read, 0, 8, machine.NewPage()));
        Completion across = queue.Execute(NewCommand.Io(IoOpcode.Read, 4, 8, machine.NewPage()));
        Completion behind = queue.Execute(NewCommand.Io(IoOpcode.Verify, 100, 8));

        before.Status.Should().Be(Status.Success);
        across.Status.Should().Be(Status.UnrecoveredReadError);
        behind.Status.Should().Be(Status.UnrecoveredReadError);
    }
}
