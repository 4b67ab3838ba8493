using Nvme.Driver;
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
    [InlineData(1u, 1u, Status.InvalidFormat)] // a second format
    [InlineData(1u, 1u << 5, Status.InvalidFormat)] // protection information
    [InlineData(1u, 2u << 9, Status.InvalidField)] // cryptographic erase
    [InlineData(3u, 0u, Status.InvalidNamespace)]
    [InlineData(0u, 0u, Status.InvalidNamespace)]
    public void Format_that_there_is_not_is_refused(uint nsid, uint dword10, object status)
    {
        using Machine machine = new();

        machine.Admin.Execute(NewCommand.Admin(AdminOpcode.FormatNvm, nsid, dword10: dword10)).Status.Should().Be((Status)status);
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
