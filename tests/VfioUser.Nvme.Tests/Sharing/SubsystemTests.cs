using Nvme.Driver;
using VfioUser.Nvme.Tests.Support;

namespace VfioUser.Nvme.Tests.Sharing;

/// <summary>Several controllers with the same namespaces.</summary>
public class SubsystemTests
{
    [Fact]
    public void Controllers_are_told_apart_and_their_disks_are_the_same()
    {
        using SharedDisks shared = new(controllers: 3);

        byte[][] controllers = [.. Enumerable.Range(0, 3).Select(i => shared[i].Page(NewCommand.Identify(1, default)))];
        byte[][] spaces = [.. Enumerable.Range(0, 3).Select(i => shared[i].Page(NewCommand.Identify(0, default, 1)))];
        byte[][] names = [.. Enumerable.Range(0, 3).Select(i => shared[i].Page(NewCommand.Identify(3, default, 1)))];

        controllers.Select(page => BitConverter.ToUInt16(page, 78)).Should().Equal(0, 1, 2);
        controllers.Select(page => BitConverter.ToUInt32(page, 540)).Should().OnlyContain(count => count > 0, "Linux checks the most namespaces that there may be");
        controllers.Select(page => page[76]).Should().AllBeEquivalentTo((byte)0b1010, "several controllers, paths of different states");
        controllers.Select(page => Convert.ToHexString(page, 768, 256)).Distinct(StringComparer.Ordinal).Should().ContainSingle();
        controllers.Select(page => Convert.ToHexString(page, 4, 20)).Distinct(StringComparer.Ordinal).Should().ContainSingle();
        spaces.Select(page => page[30]).Should().AllBeEquivalentTo((byte)1, "shared");
        names.Select(Convert.ToHexString).Distinct(StringComparer.Ordinal).Should().ContainSingle();
        shared.Subsystem.Controllers.Should().Equal(0, 1, 2);
    }

    [Fact]
    public void Controller_alone_says_nothing_of_sharing()
    {
        using Machine machine = new();

        byte[] controller = machine.Page(NewCommand.Identify(1, default));

        (controller[76], controller[343]).Should().Be((0, 0));
        machine.Page(NewCommand.Identify(0, default, 1))[30].Should().Be(0);
        machine.Admin.Execute(NewCommand.Admin(AdminOpcode.GetLogPage, 0, machine.NewPage(), (uint)LogPageId.AsymmetricNamespaceAccess | 127u << 16)).Status
            .Should().Be(Status.InvalidLogPage);
        FluentActions.Invoking(() => machine.Controller.SetAnaState(1, NvmeAnaState.Optimized)).Should().Throw<InvalidOperationException>();
    }

    [Fact]
    public void One_controller_reads_what_the_other_has_written()
    {
        using SharedDisks shared = new();
        NvmeDriver.Expect(shared[0].Driver.CreateQueue(1).Execute(NewCommand.Io(IoOpcode.Write, 7, 1, shared[0].Place(Machine.Pattern(512)))));

        Iova page = shared[1].NewPage();
        NvmeDriver.Expect(shared[1].Driver.CreateQueue(1).Execute(NewCommand.Io(IoOpcode.Read, 7, 1, page)));

        shared[1].Read(page, 512).Should().Equal(Machine.Pattern(512));
    }

    [Fact]
    public void Lists_of_controllers_have_all_from_an_id_on_and_those_with_a_namespace()
    {
        using SharedDisks shared = new(controllers: 1);
        shared.Join(new NvmeControllerOptions { ControllerId = 40 });
        shared.Join();

        shared[0].Controllers(0x13).Should().Equal(0, 1, 40);
        shared[0].Controllers(0x13, from: 2).Should().Equal(40);
        shared[0].Controllers(0x13, from: 0xFFFF).Should().BeEmpty();
        shared[0].Controllers(0x12, 1, from: 1).Should().Equal(1, 40);
        Attach(shared[2], 1, attach: false, 1).Should().Be(Status.Success);
        shared[0].Controllers(0x12, 1).Should().Equal(0, 40);
        shared[0].Admin.Execute(NewCommand.Identify(0x12, shared[0].NewPage(), 99)).Status.Should().Be(Status.InvalidNamespace);
        FluentActions.Invoking(() => new NvmeController(shared.Subsystem, new NvmeControllerOptions { ControllerId = 40 })).Should().Throw<ArgumentException>();
        FluentActions.Invoking(() => new NvmeController(shared.Subsystem, new NvmeControllerOptions { ControllerId = 0xFFF0 })).Should().Throw<ArgumentException>();
    }

    [Fact]
    public void Driver_attaches_and_detaches_for_other_controllers_which_hear_of_it()
    {
        using SharedDisks shared = new();
        shared[1].Watch(1 << 8);

        Attach(shared[0], 1, attach: false, 0, 1).Should().Be(Status.Success);
        Completion told = shared[1].Admin.Take();

        told.Result.Should().Be(0x0004_0002u);
        Attach(shared[0], 1, attach: false, 1).Should().Be(Status.NamespaceNotAttached);
        Attach(shared[0], 1, attach: true, 0, 2).Should().Be(Status.ControllerListInvalid, "there is no controller 2");
        Attach(shared[0], 1, attach: true, 1).Should().Be(Status.Success);
        Attach(shared[0], 1, attach: true, 0, 1).Should().Be(Status.NamespaceAlreadyAttached, "one is");
        shared[0].Controllers(0x12, 1).Should().Equal(1);
        DriverQueue[] queues = [shared[0].Driver.CreateQueue(1), shared[1].Driver.CreateQueue(1)];
        queues[0].Execute(NewCommand.Io(IoOpcode.Flush)).Status.Should().Be(Status.InvalidField);
        queues[1].Execute(NewCommand.Io(IoOpcode.Flush)).Status.Should().Be(Status.Success);
    }

    [Fact]
    public async Task Namespaces_come_and_go_for_all_controllers()
    {
        using SharedDisks shared = new();
        using MemoryDisk disk = new(1 << 20), own = new(1 << 20);
        shared[0].Watch(1 << 8);
        shared[1].Watch(1 << 8);

        uint id = shared.Subsystem.AddNamespace(new NvmeNamespace(disk));
        uint[] told = [shared[0].Admin.Take().Result, shared[1].Admin.Take().Result];
        uint alone = shared[1].Controller.AddNamespace(new NvmeNamespace(own));
        ushort[] with = shared[0].Controllers(0x12, id), withOwn = shared[0].Controllers(0x12, alone);
        await shared.Subsystem.RemoveNamespaceAsync(id);
        await shared[0].Controller.RemoveNamespaceAsync(alone);

        told.Should().Equal(0x0004_0002u, 0x0004_0002u);
        with.Should().Equal(0, 1);
        withOwn.Should().Equal(1);
        foreach (int i in new[] { 0, 1 })
            shared[i].Controller.Namespaces.Select(space => space.Id).Should().Equal(1u);
    }

    [Fact]
    public void Counter_that_all_controllers_raise_by_compare_and_write_misses_nothing()
    {
        const int Each = 40;
        using SharedDisks shared = new([new NvmeNamespace(new MemoryDisk(1 << 20))], controllers: 3);

        Parallel.For(0, 3, new ParallelOptions { MaxDegreeOfParallelism = 3 }, i =>
        {
            SharedDisks.Path path = shared[i];
            DriverQueue queue = path.Driver.CreateQueue(1);
            Iova before = path.NewPage(), after = path.NewPage();
            for (int done = 0; done < Each;)
            {
                NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Read, 0, 1, before)));
                path.Guest.Memory.Write(after, path.Guest.Memory.ReadBytes(before, 512));
                path.Guest.Memory.Write(after, path.Guest.Memory.Read<uint>(before) + 1);
                queue.Put(NewCommand.Io(IoOpcode.Compare, 0, 1, before) with { Flags = 1 });
                queue.Put(NewCommand.Io(IoOpcode.Write, 0, 1, after) with { Flags = 2 });
                queue.Ring();
                Status[] both = [queue.Take().Status, queue.Take().Status];
                if (both[0] == Status.Success)
                    done += both[1] == Status.Success ? 1 : throw new InvalidOperationException($"{both[1]}");
                else
                    both.Should().Equal(Status.CompareFailure, Status.FailedFused);
            }
        });

        Iova page = shared[0].NewPage();
        NvmeDriver.Expect(shared[0].Driver.CreateQueue(2).Execute(NewCommand.Io(IoOpcode.Read, 0, 1, page)));
        shared[0].Guest.Memory.Read<uint>(page).Should().Be(3 * Each);
    }

    [Fact]
    public void Command_of_another_controller_waits_for_a_fused_operation_and_is_carried_out_then()
    {
        using HeldDisk disk = new(1 << 20);
        using SharedDisks shared = new([new NvmeNamespace(disk)]);
        DriverQueue fused = shared[0].Driver.CreateQueue(1), other = shared[1].Driver.CreateQueue(1);
        Iova zeros = shared[0].Place(new byte[512]);
        fused.Put(NewCommand.Io(IoOpcode.Compare, 0, 1, zeros) with { Flags = 1 });
        fused.Put(NewCommand.Io(IoOpcode.Write, 0, 1, shared[0].Place(Machine.Pattern(512, 1))) with { Flags = 2 });
        fused.Ring();
        disk.WaitForAccess(); // it compares

        other.Submit(NewCommand.Io(IoOpcode.Write, 0, 1, shared[1].Place(Machine.Pattern(512, 2))));
        while (shared[1].Controller.Queues[1].InFlight < 1)
            Thread.Yield();
        bool early = other.TryTake(out _);
        disk.Release();

        NvmeDriver.Expect(fused.Take());
        NvmeDriver.Expect(fused.Take());
        NvmeDriver.Expect(other.Take());
        early.Should().BeFalse();
        Iova page = shared[0].NewPage();
        NvmeDriver.Expect(fused.Execute(NewCommand.Io(IoOpcode.Read, 0, 1, page)));
        shared[0].Read(page, 512).Should().Equal(Machine.Pattern(512, 2), "it wrote after the operation");
    }

    [Fact]
    public void Format_of_one_controller_is_seen_by_the_other()
    {
        using SharedDisks shared = new();
        shared[1].Watch(1 << 8);

        NvmeDriver.Expect(shared[0].Admin.Execute(NewCommand.Admin(AdminOpcode.FormatNvm, 1, dword10: 1)));

        shared[1].Admin.Take().Result.Should().Be(0x0004_0002u);
        shared[1].Controller.Namespaces.Single().BlockSize.Should().Be(4096);
    }

    [Fact]
    public void Reset_or_end_of_one_controller_leaves_the_other_its_disks()
    {
        using SharedDisks shared = new([new NvmeNamespace(new MemoryDisk(1 << 20))], controllers: 1);
        DriverQueue queue = shared[0].Driver.CreateQueue(1);
        using (SharedDisks.Path second = new(new NvmeController(shared.Subsystem)))
        {
            second.Guest.Reset();
            NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Read, 0, 1, shared[0].NewPage())));
        }

        shared.Subsystem.Controllers.Should().Equal(0);
        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Write, 0, 1, shared[0].NewPage())));
    }

    private static Status Attach(SharedDisks.Path path, uint nsid, bool attach, params ushort[] controllers)
    {
        Iova page = path.NewPage();
        path.Guest.Memory.Write(page, new byte[4096]);
        path.Guest.Memory.Write(page, (ushort)controllers.Length);
        for (int i = 0; i < controllers.Length; i++)
            path.Guest.Memory.Write(page + (ulong)(i + 1) * sizeof(ushort), controllers[i]);
        return path.Admin.Execute(NewCommand.Admin(AdminOpcode.NamespaceAttachment, nsid, page, attach ? 0u : 1u)).Status;
    }
}
