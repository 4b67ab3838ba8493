using Nvme.Driver;
using VfioUser.Nvme.Tests.Support;

namespace VfioUser.Nvme.Tests.Namespaces;

/// <summary>Namespace Attachment and Namespace Management, by a driver; and the lists of what there is.</summary>
public class AttachmentTests
{
    [Fact]
    public async Task Lists_tell_what_is_allocated_and_what_is_attached()
    {
        using MemoryDisk disk = new(1 << 20);
        using Machine machine = new();
        machine.Controller.AddNamespace(new NvmeNamespace(disk) { Id = 5, IsAttached = false });
        machine.Controller.AddNamespace(new NvmeNamespace(disk) { Id = 9 });

        machine.List(0x02).Should().Equal(1, 9);
        machine.List(0x07).Should().Equal(1, 9);
        machine.List(0x10).Should().Equal(1, 5, 9);
        machine.List(0x10, above: 5).Should().Equal(9);
        machine.Page(NewCommand.Identify(0x00, default, 5)).Should().AllBeEquivalentTo(0, "it is not attached");
        BitConverter.ToUInt64(machine.Page(NewCommand.Identify(0x11, default, 5)), 0).Should().Be(1 << 11);
        machine.Page(NewCommand.Identify(0x12, default, 9)).Take(6).Should().Equal(1, 0, 0, 0, 0, 0);
        machine.Page(NewCommand.Identify(0x12, default, 5)).Take(4).Should().Equal(0, 0, 0, 0);
        machine.Page(NewCommand.Identify(0x13, default)).Take(4).Should().Equal(1, 0, 0, 0);
        machine.Page(NewCommand.Identify(0x13 | 1u << 16, default)).Take(4).Should().Equal(0, 0, 0, 0);
        machine.Page(NewCommand.Identify(0x08, default, 9))[14].Should().Be(1, "it is ready");
        await machine.Controller.DetachNamespaceAsync(9);
        machine.List(0x02).Should().Equal(1);
        machine.Controller.AttachNamespace(5);
        machine.List(0x02).Should().Equal(1, 5);
    }

    [Fact]
    public void Driver_detaches_and_attaches_and_the_bytes_stay()
    {
        using Machine machine = new();
        DriverQueue queue = machine.Driver.CreateQueue(1);
        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Write, 0, 1, machine.Guest.Place(Machine.Pattern(512)))));

        Status detached = machine.Attach(1, attach: false, 0);
        Status again = machine.Attach(1, attach: false, 0);
        uint[] none = machine.List(0x02);
        Status refused = queue.Execute(NewCommand.Io(IoOpcode.Read, 0, 1, machine.NewPage())).Status;
        uint[] changed = machine.ChangedNamespaces();
        Status attached = machine.Attach(1, attach: true, 0);
        Status attachedAgain = machine.Attach(1, attach: true, 0);

        new[] { detached, again, refused, attached, attachedAgain }.Should().Equal(
            Status.Success, Status.NamespaceNotAttached, Status.InvalidField, Status.Success, Status.NamespaceAlreadyAttached);
        none.Should().BeEmpty();
        changed.Should().Equal(1);
        Iova page = machine.NewPage();
        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Read, 0, 1, page)));
        machine.Read(page, 512).Should().Equal(Machine.Pattern(512));
    }

    [Fact]
    public void Detaching_waits_for_the_commands_under_way()
    {
        using HeldDisk disk = new(1 << 20);
        using Machine machine = new(disks: [disk]);
        DriverQueue queue = machine.Driver.CreateQueue(1);
        // two, so that none is on the thread that fetches
        queue.Put(NewCommand.Io(IoOpcode.Read, 0, 1, machine.NewPage()));
        queue.Put(NewCommand.Io(IoOpcode.Read, 0, 1, machine.NewPage()));
        queue.Ring();
        disk.WaitForAccess();
        disk.WaitForAccess();
        Iova list = machine.Guest.Place([1, 0, .. new byte[4094]]);

        machine.Admin.Submit(NewCommand.Admin(AdminOpcode.NamespaceAttachment, 1, list, 1));
        // told by the list before it is over
        while (machine.Controller.Namespaces[0].IsAttached)
            Thread.Yield();
        Status later = queue.Execute(NewCommand.Io(IoOpcode.Read, 0, 1, machine.NewPage())).Status;
        bool early = machine.Admin.TryTake(out _);
        disk.Release();

        NvmeDriver.Expect(queue.Take());
        NvmeDriver.Expect(queue.Take());
        NvmeDriver.Expect(machine.Admin.Take());
        later.Should().Be(Status.InvalidField);
        early.Should().BeFalse();
    }

    [Theory]
    [InlineData(1u, new ushort[0], Status.ControllerListInvalid)]
    [InlineData(1u, new ushort[] { 1 }, Status.ControllerListInvalid)]
    [InlineData(1u, new ushort[] { 0, 1 }, Status.ControllerListInvalid)]
    [InlineData(2u, new ushort[] { 0 }, Status.InvalidField)] // a number without a namespace
    [InlineData(17u, new ushort[] { 0 }, Status.InvalidNamespace)]
    [InlineData(0u, new ushort[] { 0 }, Status.InvalidNamespace)]
    [InlineData(0xFFFF_FFFFu, new ushort[] { 0 }, Status.InvalidNamespace)]
    public void Attachment_that_cannot_be_is_refused(uint nsid, ushort[] controllers, object status)
    {
        using Machine machine = new();

        machine.Attach(nsid, attach: false, controllers).Should().Be((Status)status);

        machine.List(0x02).Should().Equal(1);
    }

    [Fact]
    public void List_that_claims_more_controllers_than_it_has_is_refused()
    {
        using Machine machine = new();
        Iova list = machine.Guest.Place([0xFF, 0xFF, .. new byte[4094]]);

        machine.Admin.Execute(NewCommand.Admin(AdminOpcode.NamespaceAttachment, 1, list, 1)).Status.Should().Be(Status.ControllerListInvalid);
        machine.Admin.Execute(NewCommand.Admin(AdminOpcode.NamespaceAttachment, 1, list, 7)).Status.Should().Be(Status.InvalidField);
        machine.Admin.Execute(NewCommand.Admin(AdminOpcode.NamespaceAttachment, 1, new Iova(1ul << 50), 1)).Status.Should().Be(Status.DataTransferError);
    }

    [Theory]
    [InlineData(0u, 0u, Status.NamespaceInsufficientCapacity)]
    [InlineData(1u, 0u, Status.InvalidField)]
    [InlineData(1u, 1u, Status.OperationDenied)]
    [InlineData(0xFFFF_FFFFu, 1u, Status.OperationDenied)]
    [InlineData(2u, 1u, Status.InvalidField)]
    [InlineData(17u, 1u, Status.InvalidNamespace)]
    [InlineData(1u, 2u, Status.InvalidField)]
    public void Driver_makes_and_deletes_no_namespaces(uint nsid, uint selected, object status)
    {
        using Machine machine = new();

        machine.Admin.Execute(NewCommand.Admin(AdminOpcode.NamespaceManagement, nsid, machine.NewPage(), selected)).Status.Should().Be((Status)status);

        machine.List(0x10).Should().Equal(1);
    }

    [Fact]
    public void Log_of_changes_that_could_not_be_given_is_kept()
    {
        using Machine machine = new();
        machine.Attach(1, attach: false, 0);
        uint log = (uint)LogPageId.ChangedNamespaces | 1023u << 16;

        Status failed = machine.Admin.Execute(NewCommand.Admin(AdminOpcode.GetLogPage, 0, new Iova(1ul << 50), log)).Status;
        byte[] retained = machine.Page(NewCommand.Admin(AdminOpcode.GetLogPage, 0, default, log | 1 << 15));

        failed.Should().Be(Status.DataTransferError);
        retained[0].Should().Be(1);
        machine.ChangedNamespaces().Should().Equal(1);
        machine.ChangedNamespaces().Should().BeEmpty();
    }
}
