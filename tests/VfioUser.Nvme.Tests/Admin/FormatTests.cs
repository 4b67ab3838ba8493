using Nvme.Driver;
using VfioUser.Nvme.Tests.Namespaces;
using VfioUser.Nvme.Tests.Support;

namespace VfioUser.Nvme.Tests.Admin;

public class FormatTests
{
    [Theory]
    [InlineData(0u)]
    [InlineData(1u << 9)] // user data erase
    public void Formatted_namespace_is_zero_and_its_neighbour_is_not(uint dword10)
    {
        using Machine machine = new(disks: [new MemoryDisk(4 << 20), new MemoryDisk(4 << 20)]);
        DriverQueue queue = machine.Driver.CreateQueue(1);
        VfioUser.Iova data = machine.Guest.Place(Machine.Pattern(512));
        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Write, 5, 1, data, nsid: 1)));
        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Write, 5, 1, data, nsid: 2)));

        NvmeDriver.Expect(machine.Admin.Execute(NewCommand.Admin(AdminOpcode.FormatNvm, 1, dword10: dword10)));

        VfioUser.Iova page = machine.NewPage();
        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Read, 5, 1, page, nsid: 1)));
        machine.Read(page, 512).Should().AllBeEquivalentTo(0);
        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Read, 5, 1, page, nsid: 2)));
        machine.Read(page, 512).Should().Equal(Machine.Pattern(512));
    }

    [Theory]
    [InlineData(1u, 2u, Status.InvalidFormat)] // a third format
    [InlineData(1u, 1u << 12, Status.InvalidFormat)] // the seventeenth
    [InlineData(1u, 1u << 5, Status.InvalidFormat)] // protection information
    [InlineData(1u, 2u << 9, Status.InvalidField)] // cryptographic erase
    [InlineData(3u, 0u, Status.InvalidField)]
    [InlineData(17u, 0u, Status.InvalidNamespace)]
    [InlineData(0u, 0u, Status.InvalidNamespace)]
    public void Format_that_there_is_not_is_refused(uint nsid, uint dword10, object status)
    {
        using Machine machine = new();

        machine.Admin.Execute(NewCommand.Admin(AdminOpcode.FormatNvm, nsid, dword10: dword10)).Status.Should().Be((Status)status);
    }

    [Fact]
    public void Format_changes_the_size_of_blocks_and_the_bounds_with_it()
    {
        using Machine machine = new(disks: [new MemoryDisk(1 << 20)]);
        DriverQueue queue = machine.Driver.CreateQueue(1);
        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Write, 2047, 1, machine.Guest.Place(Machine.Pattern(512)))));
        byte[] before = machine.Page(NewCommand.Identify(0, default, 1));

        NvmeDriver.Expect(machine.Admin.Execute(NewCommand.Admin(AdminOpcode.FormatNvm, 1, dword10: 1)));

        byte[] after = machine.Page(NewCommand.Identify(0, default, 1));
        (before[25], before[26], before[130], before[134]).Should().Be((1, 0, 9, 12));
        (after[25], after[26], after[130], after[134]).Should().Be((1, 1, 9, 12));
        (BitConverter.ToUInt64(before, 0), BitConverter.ToUInt64(after, 0), BitConverter.ToUInt64(after, 8)).Should().Be((2048, 256, 256));
        queue.Execute(NewCommand.Io(IoOpcode.Read, 256, 1, machine.NewPage())).Status.Should().Be(Status.LbaOutOfRange);
        VfioUser.Iova page = machine.Guest.Place(Machine.Pattern(4096));
        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Read, 255, 1, page)));
        machine.Read(page, 4096).Should().AllBeEquivalentTo(0);
        machine.Controller.Namespaces.Should().Equal(new NvmeNamespaceInfo(1, true, 4096, 1 << 20));
        NvmeDriver.Expect(machine.Admin.Execute(NewCommand.Admin(AdminOpcode.FormatNvm, 1, dword10: 0)));
        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Read, 2047, 1, page)));
    }

    [Fact]
    public void Driver_is_told_of_other_blocks_and_not_of_a_format_that_leaves_them()
    {
        using Machine machine = new();
        machine.WatchNamespaces();
        ushort same = machine.Admin.Submit(NewCommand.Admin(AdminOpcode.FormatNvm, 1));
        Completion first = machine.Admin.Take();

        machine.Admin.Submit(NewCommand.Admin(AdminOpcode.FormatNvm, 0xFFFF_FFFF, dword10: 1));
        Completion[] both = [machine.Admin.Take(), machine.Admin.Take()];

        first.CommandId.Should().Be(same);
        both.Should().ContainSingle(completion => completion.Result == NamespaceGuest.NamespaceChanged);
        machine.ChangedNamespaces().Should().Equal(1);
    }

    [Fact]
    public void Last_blocks_that_do_not_fill_a_larger_one_are_left_out_and_come_back()
    {
        using Machine machine = new(disks: [new MemoryDisk((1 << 20) + 512)]);
        DriverQueue queue = machine.Driver.CreateQueue(1);

        NvmeDriver.Expect(machine.Admin.Execute(NewCommand.Admin(AdminOpcode.FormatNvm, 1, dword10: 1)));
        ulong large = BitConverter.ToUInt64(machine.Page(NewCommand.Identify(0, default, 1)), 0);
        NvmeDriver.Expect(machine.Admin.Execute(NewCommand.Admin(AdminOpcode.FormatNvm, 1, dword10: 0)));

        large.Should().Be(256);
        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Read, 2048, 1, machine.NewPage())));
    }

    [Theory]
    [InlineData(4096, 4096, false, new[] { 12 })] // the disk below has such blocks
    [InlineData(0, 4096, true, new[] { 12 })] // it may not be formatted
    [InlineData(0, 512, true, new[] { 9 })]
    [InlineData(512, 4096, false, new[] { 9, 12 })]
    public void Formats_are_those_that_the_disk_can_have(int smallest, int blockSize, bool readOnly, int[] formats)
    {
        using HintedDisk disk = new(new DiskHints { BlockSize = smallest });
        using Machine machine = new();
        machine.Controller.AddNamespace(new NvmeNamespace(disk) { BlockSize = blockSize, IsReadOnly = readOnly });

        byte[] page = machine.Page(NewCommand.Identify(0, default, 2));

        page[25].Should().Be((byte)(formats.Length - 1));
        formats.Select((_, i) => (int)page[130 + i * 4]).Should().Equal(formats);
        ((int)page[130 + page[26] * 4]).Should().Be(int.Log2(blockSize));
        machine.Admin.Execute(NewCommand.Admin(AdminOpcode.FormatNvm, 2, dword10: (uint)formats.Length)).Status.Should().Be(Status.InvalidFormat);
    }

    [Fact]
    public async Task Disk_is_removed_when_its_format_is_over()
    {
        using HeldDisk disk = new(1 << 20);
        using Machine machine = new();
        machine.Controller.AddNamespace(new NvmeNamespace(disk));
        machine.Admin.Submit(NewCommand.Admin(AdminOpcode.FormatNvm, 2, dword10: 1));
        disk.WaitForAccess();

        Task removing = machine.Controller.RemoveNamespaceAsync(2);
        bool early = removing.IsCompleted;
        disk.Release();
        await removing.WaitAsync(TimeSpan.FromSeconds(60));

        early.Should().BeFalse();
        NvmeDriver.Expect(machine.Admin.Take());
        machine.Driver.CreateQueue(1).Execute(NewCommand.Io(IoOpcode.Read, 0, 1, machine.NewPage(), nsid: 2)).Status.Should().Be(Status.InvalidField);
    }

    [Fact]
    public void Commands_that_come_during_a_format_are_to_be_tried_again()
    {
        using HeldDisk disk = new(1 << 20);
        using Machine machine = new(disks: [disk]);
        DriverQueue queue = machine.Driver.CreateQueue(1);
        machine.Admin.Submit(NewCommand.Admin(AdminOpcode.FormatNvm, 1));
        disk.WaitForAccess();

        Completion during = queue.Execute(NewCommand.Io(IoOpcode.Read, 0, 1, machine.NewPage()));
        disk.Release();
        NvmeDriver.Expect(machine.Admin.Take());

        during.Status.Should().Be(Status.FormatInProgress);
        during.DoNotRetry.Should().BeFalse();
        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Read, 0, 1, machine.NewPage())));
    }
}
