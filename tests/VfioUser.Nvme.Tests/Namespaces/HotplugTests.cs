using Nvme.Driver;
using VfioUser.Nvme.Tests.Support;

namespace VfioUser.Nvme.Tests.Namespaces;

/// <summary>Namespaces that the program adds and removes while a driver is at work.</summary>
public class HotplugTests
{
    [Fact]
    public void Added_namespace_is_told_listed_and_works()
    {
        using Machine machine = new();
        using MemoryDisk disk = new(2 << 20);
        DriverQueue queue = machine.Driver.CreateQueue(1);
        machine.WatchNamespaces();

        uint id = machine.Controller.AddNamespace(new NvmeNamespace(disk));
        uint[] changed = machine.TakeChange();

        id.Should().Be(2);
        changed.Should().Equal(2);
        machine.List(0x02).Should().Equal(1, 2);
        BitConverter.ToUInt64(machine.Page(NewCommand.Identify(0, default, 2)), 0).Should().Be(2 << 11);
        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Write, 0, 1, machine.Guest.Place(Machine.Pattern(512)), nsid: 2)));
        byte[] written = new byte[512];
        disk.Read(0, written);
        written.Should().Equal(Machine.Pattern(512));
        machine.Controller.Namespaces.Should().Equal(
            new NvmeNamespaceInfo(1, true, 512, 8 << 20), new NvmeNamespaceInfo(2, true, 512, 2 << 20));
    }

    [Fact]
    public async Task Removed_namespace_is_told_and_refuses_commands()
    {
        using MemoryDisk disk = new(1 << 20);
        using Machine machine = new();
        DriverQueue queue = machine.Driver.CreateQueue(1);
        machine.WatchNamespaces();
        machine.Controller.AddNamespace(new NvmeNamespace(disk));
        machine.TakeChange();

        await machine.Controller.RemoveNamespaceAsync(2);

        machine.TakeChange().Should().Equal(2);
        machine.List(0x02).Should().Equal(1);
        machine.List(0x10).Should().Equal(1);
        machine.Page(NewCommand.Identify(0, default, 2)).Should().AllBeEquivalentTo(0);
        Completion read = queue.Execute(NewCommand.Io(IoOpcode.Read, 0, 1, machine.NewPage(), nsid: 2));
        read.Status.Should().Be(Status.InvalidField);
        read.DoNotRetry.Should().BeTrue();
        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Read, 0, 1, machine.NewPage())));
    }

    [Fact]
    public async Task Removal_waits_for_the_commands_under_way_and_the_driver_hears_of_it_before()
    {
        using HeldDisk disk = new(1 << 20);
        using Machine machine = new(options: new NvmeControllerOptions { Workers = 1 });
        DriverQueue queue = machine.Driver.CreateQueue(1);
        machine.Controller.AddNamespace(new NvmeNamespace(disk));
        machine.WatchNamespaces();
        machine.ChangedNamespaces();
        queue.Submit(NewCommand.Io(IoOpcode.Read, 0, 1, machine.NewPage(), nsid: 2));
        disk.WaitForAccess();

        Task removing = machine.Controller.RemoveNamespaceAsync(2);
        uint[] changed = machine.TakeChange();
        bool early = removing.IsCompleted;
        disk.Release();
        await removing.WaitAsync(TimeSpan.FromSeconds(60));

        early.Should().BeFalse();
        changed.Should().Equal(2);
        NvmeDriver.Expect(queue.Take());
        machine.Controller.Namespaces.Should().ContainSingle();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)] // cancelled before it begins
    public async Task Removal_of_a_disk_that_never_answers_aborts_its_commands(bool atOnce)
    {
        using LaterDisk disk = new(1 << 20);
        using Machine machine = new();
        DriverQueue queue = machine.Driver.CreateQueue(1);
        machine.Controller.AddNamespace(new NvmeNamespace(disk));
        queue.Submit(NewCommand.Io(IoOpcode.Read, 0, 1, machine.NewPage(), nsid: 2));
        disk.Take();
        using CancellationTokenSource abort = new();
        if (atOnce)
            await abort.CancelAsync();

        Task removing = machine.Controller.RemoveNamespaceAsync(2, abort.Token);
        bool early = removing.IsCompleted;
        await abort.CancelAsync();
        await removing.WaitAsync(TimeSpan.FromSeconds(60));

        (early && !atOnce).Should().BeFalse();
        queue.Take().Status.Should().Be(Status.AbortRequested);
    }

    [Fact]
    public async Task Nothing_uses_a_disk_that_is_removed_under_load_and_the_others_go_on()
    {
        const int Depth = 32;
        using Machine machine = new(options: new NvmeControllerOptions { Workers = 2 });
        DriverQueue queue = machine.Driver.CreateQueue(1, 64);
        Iova page = machine.NewPage();
        int uses = 0;
        for (int round = 0; round < 10; round++)
        {
            using ScriptedDisk disk = new(1 << 20, blocks: round % 2 == 0);
            bool isRemoved = false;
            disk.OnRead = disk.OnFlush = () => uses += Volatile.Read(ref isRemoved) ? 1 : 0;
            uint id = machine.Controller.AddNamespace(new NvmeNamespace(disk) { Id = 7 });
            for (int i = 0; i < Depth; i++)
                queue.Put(i % 8 == 0 ? NewCommand.Io(IoOpcode.Flush, nsid: 0xFFFF_FFFF) : NewCommand.Io(IoOpcode.Read, 0, 1, page, nsid: i % 2 == 0 ? id : 1));
            queue.Ring();

            await machine.Controller.RemoveNamespaceAsync(id);
            Volatile.Write(ref isRemoved, true);

            for (int i = 0; i < Depth; i++)
                queue.Take().Status.Should().BeOneOf(Status.Success, Status.InvalidField);
        }
        uses.Should().Be(0);
    }

    [Fact]
    public async Task Number_is_not_used_again_before_the_driver_knows_that_the_last_disk_has_gone()
    {
        using MemoryDisk first = new(1 << 20), second = new(1 << 20), third = new(1 << 20);
        using Machine machine = new();
        machine.Controller.AddNamespace(new NvmeNamespace(first));
        machine.ChangedNamespaces();

        await machine.Controller.RemoveNamespaceAsync(2);
        uint soon = machine.Controller.AddNamespace(new NvmeNamespace(second));
        uint[] changed = machine.ChangedNamespaces();
        uint later = machine.Controller.AddNamespace(new NvmeNamespace(third));

        soon.Should().Be(3);
        changed.Should().Equal(2, 3);
        later.Should().Be(2);
    }

    [Fact]
    public async Task Controller_may_have_no_namespace_at_first_or_at_last()
    {
        using MemoryDisk disk = new(1 << 20);
        using Machine machine = new(disks: []);
        machine.WatchNamespaces();
        uint[] none = machine.List(0x02);

        machine.Controller.AddNamespace(new NvmeNamespace(disk));
        machine.TakeChange().Should().Equal(1);
        uint[] one = machine.List(0x02);
        await machine.Controller.RemoveNamespaceAsync(1);

        none.Should().BeEmpty();
        one.Should().Equal(1);
        machine.TakeChange().Should().Equal(1);
        machine.List(0x02).Should().BeEmpty();
        NvmeDriver.Expect(machine.Driver.CreateQueue(1).Execute(NewCommand.Io(IoOpcode.Flush, nsid: 0xFFFF_FFFF)));
    }

    [Fact]
    public void Driver_that_knows_of_no_cache_has_its_writes_durable_on_a_disk_that_comes_later()
    {
        int flushes = 0;
        using ScriptedDisk disk = new(1 << 20) { OnFlush = () => Interlocked.Increment(ref flushes) };
        using Machine machine = new();
        DriverQueue queue = machine.Driver.CreateQueue(1);
        bool offered = (machine.Page(NewCommand.Identify(1, default))[525] & 1) != 0;
        machine.Controller.AddNamespace(new NvmeNamespace(disk));

        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Write, 0, 1, machine.NewPage(), nsid: 2)));
        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.WriteZeroes, 0, 1, nsid: 2)));
        int before = flushes;
        (machine.Page(NewCommand.Identify(1, default))[525] & 1).Should().Be(0, "it was told already");
        machine.Driver.Disable();
        machine.Driver.Enable();
        queue = machine.Driver.CreateQueue(1);
        bool offeredNow = (machine.Page(NewCommand.Identify(1, default))[525] & 1) != 0;
        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Write, 0, 1, machine.NewPage(), nsid: 2)));

        offered.Should().BeFalse();
        before.Should().Be(2);
        offeredNow.Should().BeTrue();
        flushes.Should().Be(2, "this driver flushes itself");
    }

    [Theory]
    [InlineData(1u, "*is a namespace 1 already*")]
    [InlineData(0u, "*from 1 to 4, not 0*")]
    [InlineData(5u, "*from 1 to 4, not 5*")]
    public void Number_that_cannot_be_is_refused(uint id, string message)
    {
        using MemoryDisk disk = new(1 << 20);
        using Machine machine = new(options: new NvmeControllerOptions { Namespaces = 4 });

        FluentActions.Invoking(() => machine.Controller.AddNamespace(new NvmeNamespace(disk) { Id = id })).Should().Throw<ArgumentException>().WithMessage(message);

        machine.Controller.Namespaces.Should().ContainSingle();
    }

    [Fact]
    public async Task Namespaces_beyond_the_room_that_there_is_are_refused()
    {
        using MemoryDisk disk = new(1 << 20);
        using Machine machine = new(options: new NvmeControllerOptions { Namespaces = 2 });
        machine.Controller.AddNamespace(new NvmeNamespace(disk));

        FluentActions.Invoking(() => machine.Controller.AddNamespace(new NvmeNamespace(disk))).Should().Throw<InvalidOperationException>();
        await FluentActions.Awaiting(() => machine.Controller.RemoveNamespaceAsync(3)).Should().ThrowAsync<ArgumentException>();
        FluentActions.Invoking(() => new NvmeController([disk, disk], new NvmeControllerOptions { Namespaces = 1 })).Should().Throw<ArgumentException>();
    }

    [Fact]
    public async Task One_disk_may_be_there_twice_with_names_of_their_own()
    {
        using MemoryDisk disk = new(1 << 20);
        using Machine machine = new();
        byte[] NameOf(uint nsid) => machine.Page(NewCommand.Identify(3, default, nsid))[4..20];
        machine.Controller.AddNamespace(new NvmeNamespace(disk));
        machine.Controller.AddNamespace(new NvmeNamespace(disk));
        byte[] first = NameOf(2), second = NameOf(3);

        await machine.Controller.RemoveNamespaceAsync(2);
        machine.Controller.AddNamespace(new NvmeNamespace(disk) { Id = 9 });

        first.Should().NotEqual(second);
        NameOf(9).Should().Equal(first, "the name is free again, and the second keeps its own");
        NameOf(3).Should().Equal(second);
    }
}
