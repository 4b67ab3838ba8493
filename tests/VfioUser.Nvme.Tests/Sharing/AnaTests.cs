using Nvme.Driver;
using VfioUser.Nvme.Tests.Support;

namespace VfioUser.Nvme.Tests.Sharing;

/// <summary>States of paths: Asymmetric Namespace Access.</summary>
public class AnaTests
{
    private const uint AnaChanged = 0x000C_0302; // a notice, and the log page

    private static Command Log(int length = 512, uint specific = 0, ulong offset = 0) => NewCommand.Admin(AdminOpcode.GetLogPage, 0, default,
        (uint)LogPageId.AsymmetricNamespaceAccess | specific << 8 | (uint)(length / 4 - 1) << 16, (uint)(length / 4 - 1) >> 16, (uint)offset, (uint)(offset >> 32));

    [Theory]
    [InlineData(NvmeAnaState.Optimized, Status.Success)]
    [InlineData(NvmeAnaState.NonOptimized, Status.Success)]
    [InlineData(NvmeAnaState.Inaccessible, Status.AnaInaccessible)]
    [InlineData(NvmeAnaState.PersistentLoss, Status.AnaPersistentLoss)]
    [InlineData(NvmeAnaState.Change, Status.AnaTransition)]
    public void State_of_one_path_ends_commands_there_and_not_on_the_other(NvmeAnaState state, object status)
    {
        using SharedDisks shared = new();
        DriverQueue first = shared[0].Driver.CreateQueue(1), second = shared[1].Driver.CreateQueue(1);
        Iova zeros = shared[0].Place(new byte[4096]);

        shared[0].Controller.SetAnaState(1, state);

        foreach (IoOpcode opcode in new[] { IoOpcode.Read, IoOpcode.Write, IoOpcode.Flush, IoOpcode.Compare, IoOpcode.WriteZeroes, IoOpcode.Verify })
        {
            Completion ended = first.Execute(NewCommand.Io(opcode, 0, 1, zeros));
            ended.Status.Should().Be((Status)status, "the command is {0}", opcode);
            ended.DoNotRetry.Should().BeFalse("another path may have it");
        }
        first.Put(NewCommand.Io(IoOpcode.Compare, 0, 1, zeros) with { Flags = 1 });
        first.Put(NewCommand.Io(IoOpcode.Write, 0, 1, zeros) with { Flags = 2 });
        first.Ring();
        first.Take().Status.Should().Be((Status)status);
        first.Take();
        shared[0].Admin.Execute(NewCommand.Admin(AdminOpcode.FormatNvm, 1)).Status.Should().Be((Status)status);
        NvmeDriver.Expect(second.Execute(NewCommand.Io(IoOpcode.Read, 0, 1, shared[1].NewPage())));
    }

    [Fact]
    public void Change_is_told_and_stands_in_the_log()
    {
        using SharedDisks shared = new([
            new NvmeNamespace(new MemoryDisk(1 << 20)),
            new NvmeNamespace(new MemoryDisk(1 << 20)) { AnaGroup = 5 },
            new NvmeNamespace(new MemoryDisk(1 << 20)) { AnaGroup = 5 }]);
        shared[0].Watch(1 << 11);

        shared[0].Controller.SetAnaState(5, NvmeAnaState.Inaccessible);
        Completion told = shared[0].Admin.Take();
        byte[] log = shared[0].Page(Log());
        byte[] other = shared[1].Page(Log());

        told.Result.Should().Be(AnaChanged);
        (BitConverter.ToUInt64(log, 0), BitConverter.ToUInt16(log, 8)).Should().Be((1ul, (ushort)2));
        Ints(log, 16, 2).Should().Equal(1u, 1u);
        (log[32], BitConverter.ToUInt32(log, 48)).Should().Be(((byte)1, 1u));
        Ints(log, 52, 2).Should().Equal(5u, 2u);
        (BitConverter.ToUInt64(log, 60), log[68]).Should().Be((1ul, (byte)3));
        Ints(log, 84, 3).Should().Equal(2u, 3u, 0u);
        other[68].Should().Be(1, "the other path is as it was");
    }

    [Fact]
    public void Groups_alone_are_returned_on_request_and_bad_input_is_refused()
    {
        using SharedDisks shared = new();

        byte[] groups = shared[0].Page(Log(specific: 1));

        Ints(groups, 16, 2).Should().Equal(1u, 0u);
        foreach (Command bad in new[] { Log(offset: 2), Log(offset: 56), Log(offset: 1ul << 40), Log(length: 1 << 20) })
            shared[0].Admin.Execute(bad with { Prp1 = shared[0].NewPage().Value }).Status.Should().Be(Status.InvalidField);
        FluentActions.Invoking(() => shared[0].Controller.SetAnaState(0, NvmeAnaState.Optimized)).Should().Throw<ArgumentException>();
        FluentActions.Invoking(() => shared[0].Controller.SetAnaState(17, NvmeAnaState.Optimized)).Should().Throw<ArgumentException>();
        FluentActions.Invoking(() => shared[0].Controller.SetAnaState(1, (NvmeAnaState)7)).Should().Throw<ArgumentException>();
        FluentActions.Invoking(() => shared.Subsystem.AddNamespace(new NvmeNamespace(new MemoryDisk(1 << 20)) { AnaGroup = 17 })).Should().Throw<ArgumentException>();
    }

    [Fact]
    public void Unread_change_of_namespaces_hides_no_change_of_paths()
    {
        using SharedDisks shared = new();
        using MemoryDisk disk = new(1 << 20);
        shared[0].Watch(1 << 8 | 1 << 11);
        shared.Subsystem.AddNamespace(new NvmeNamespace(disk));
        shared[0].Admin.Take().Result.Should().Be(0x0004_0002u);

        shared[0].Admin.Submit(NewCommand.Admin(AdminOpcode.AsyncEventRequest));
        shared[0].Controller.SetAnaState(1, NvmeAnaState.NonOptimized);

        shared[0].Admin.Take().Result.Should().Be(AnaChanged);
        shared[0].Admin.Submit(NewCommand.Admin(AdminOpcode.AsyncEventRequest));
        shared[0].Controller.SetAnaState(1, NvmeAnaState.Optimized);
        NvmeDriver.Expect(shared[0].Admin.Execute(NewCommand.Admin(AdminOpcode.GetFeatures, dword10: 1)));
        shared[0].Admin.TryTake(out _).Should().BeFalse("the log is not read yet");
    }

    [Fact]
    public void Namespaces_that_come_later_have_the_state_of_their_group_and_resets_keep_it()
    {
        using SharedDisks shared = new();
        using MemoryDisk disk = new(1 << 20);
        shared[0].Controller.SetAnaState(1, NvmeAnaState.Inaccessible);
        uint id = shared.Subsystem.AddNamespace(new NvmeNamespace(disk));

        shared[0].Driver.Disable();
        shared[0].Driver.Enable();

        shared[0].Driver.CreateQueue(1).Execute(NewCommand.Io(IoOpcode.Flush, nsid: id)).Status.Should().Be(Status.AnaInaccessible);
    }

    private static uint[] Ints(byte[] page, int offset, int count) =>
        [.. Enumerable.Range(0, count).Select(i => BitConverter.ToUInt32(page, offset + i * sizeof(uint)))];
}
