using Nvme.Driver;
using VfioUser.Nvme.Tests.Namespaces;
using VfioUser.Nvme.Tests.Support;

namespace VfioUser.Nvme.Tests.Admin;

/// <summary>Device Self-test and its log.</summary>
public class SelfTestTests
{
    private const uint All = 0xFFFF_FFFF;

    private static Command Start(SelfTestKind kind, uint nsid = All) => NewCommand.Admin(AdminOpcode.DeviceSelfTest, nsid, dword10: (uint)kind);

    private static Command Abort() => NewCommand.Admin(AdminOpcode.DeviceSelfTest, All, dword10: 0xF);

    private static byte[] Log(Machine machine) =>
        machine.Page(NewCommand.Admin(AdminOpcode.GetLogPage, All, default, (uint)LogPageId.DeviceSelfTest | (SelfTests.PageSize / 4 - 1u) << 16));

    // as drivers do: there is no event
    private static byte[] WaitForEnd(Machine machine)
    {
        byte[] log;
        while ((log = Log(machine))[0] != 0)
            Thread.Yield();
        return log;
    }

    [Theory]
    [InlineData(SelfTestKind.Short, false)]
    [InlineData(SelfTestKind.Extended, false)]
    [InlineData(SelfTestKind.Short, true)]
    [InlineData(SelfTestKind.Extended, true)]
    public void Healthy_disk_passes(object kind, bool blocks)
    {
        using Machine machine = new(disks: [blocks ? new ScriptedDisk(1 << 20) : new MemoryDisk(64 << 20), new MemoryDisk(1 << 20)]);

        NvmeDriver.Expect(machine.Admin.Execute(Start((SelfTestKind)kind)));
        byte[] log = WaitForEnd(machine);

        log[4].Should().Be((byte)((int)(SelfTestKind)kind << 4 | (int)SelfTestResult.Passed));
        log[4 + 28].Should().Be((byte)SelfTestResult.Unused, "there was one");
    }

    [Fact]
    public void Controller_alone_and_one_namespace_are_tested_and_bad_input_is_refused()
    {
        using Machine machine = new();

        NvmeDriver.Expect(machine.Admin.Execute(Start(SelfTestKind.Short, 0)));
        WaitForEnd(machine);
        NvmeDriver.Expect(machine.Admin.Execute(Start(SelfTestKind.Short, 1)));
        byte[] log = WaitForEnd(machine);

        (log[4], log[4 + 28]).Should().Be((0x10, 0x10));
        machine.Admin.Execute(Start(SelfTestKind.Short, 2)).Status.Should().Be(Status.InvalidField, "it is not attached");
        machine.Admin.Execute(Start(SelfTestKind.Short, 17)).Status.Should().Be(Status.InvalidNamespace);
        foreach (uint code in new uint[] { 0, 3, 0xE })
            machine.Admin.Execute(NewCommand.Admin(AdminOpcode.DeviceSelfTest, All, dword10: code)).Status.Should().Be(Status.InvalidField);
        NvmeDriver.Expect(machine.Admin.Execute(Abort()));
        Log(machine)[4 + 56].Should().Be((byte)SelfTestResult.Unused, "there was nothing to abort");
    }

    [Fact]
    public void Test_is_under_way_once_and_can_be_aborted()
    {
        using HeldDisk disk = new(1 << 20);
        using Machine machine = new(disks: [disk]);
        NvmeDriver.Expect(machine.Admin.Execute(Start(SelfTestKind.Extended)));
        disk.WaitForAccess();

        byte[] during = Log(machine);
        Completion second = machine.Admin.Execute(Start(SelfTestKind.Short));
        NvmeDriver.Expect(machine.Admin.Execute(Abort()));
        byte[] after = Log(machine);
        disk.Release();

        (during[0], during[1]).Should().Be(((byte)SelfTestKind.Extended, 0));
        second.Status.Should().Be(Status.SelfTestInProgress);
        (after[0], after[4]).Should().Be((0, 0x20 | (byte)SelfTestResult.AbortedByCommand));
        NvmeDriver.Expect(machine.Admin.Execute(Start(SelfTestKind.Short)));
        WaitForEnd(machine)[4].Should().Be(0x10);
    }

    [Fact]
    public void Block_that_cannot_be_read_fails_the_test_and_stands_in_the_log()
    {
        using Machine machine = new();
        NvmeDriver.Expect(machine.Driver.CreateQueue(1).Execute(NewCommand.Io(IoOpcode.WriteUncorrectable, 777)));

        NvmeDriver.Expect(machine.Admin.Execute(Start(SelfTestKind.Extended)));
        byte[] log = WaitForEnd(machine);

        (log[4], log[5], log[6]).Should().Be((0x20 | (byte)SelfTestResult.Failed, 2, 0xF));
        BitConverter.ToUInt32(log, 4 + 12).Should().Be(1);
        BitConverter.ToUInt64(log, 4 + 16).Should().Be(777);
        (log[4 + 24], log[4 + 25]).Should().Be((2, 0x81));
    }

    [Fact]
    public void Disk_that_throws_fails_the_test()
    {
        ScriptedDisk disk = new(1 << 20) { OnRead = () => throw new IOException("broken") };
        using Machine machine = new(disks: [disk]);

        NvmeDriver.Expect(machine.Admin.Execute(Start(SelfTestKind.Short)));

        (WaitForEnd(machine)[4] & 0xF).Should().Be((int)SelfTestResult.Failed);
    }

    [Theory]
    [InlineData(SelfTestKind.Short)]
    [InlineData(SelfTestKind.Extended)]
    public void Reset_ends_a_short_test_and_not_an_extended_one(object kind)
    {
        using HeldDisk disk = new(1 << 20);
        using Machine machine = new(disks: [disk]);
        NvmeDriver.Expect(machine.Admin.Execute(Start((SelfTestKind)kind)));
        disk.WaitForAccess();

        machine.Driver.Disable();
        machine.Driver.Enable();
        byte running = Log(machine)[0];
        disk.Release();
        byte[] log = WaitForEnd(machine);

        running.Should().Be((byte)((SelfTestKind)kind == SelfTestKind.Extended ? 2 : 0));
        log[4].Should().Be((byte)((SelfTestKind)kind == SelfTestKind.Extended ? 0x20 : 0x10 | (int)SelfTestResult.AbortedByReset));
    }

    [Fact]
    public async Task Namespace_that_goes_ends_the_test()
    {
        using HeldDisk disk = new(1 << 20);
        using Machine machine = new(disks: [disk]);
        NvmeDriver.Expect(machine.Admin.Execute(Start(SelfTestKind.Extended)));
        disk.WaitForAccess();

        Task removed = machine.Controller.RemoveNamespaceAsync(1, new CancellationToken(canceled: true));
        byte[] log = WaitForEnd(machine);
        disk.Release();
        await removed;

        (log[4] & 0xF).Should().Be((int)SelfTestResult.AbortedByRemoval);
    }

    [Fact]
    public void Commands_go_on_during_a_test()
    {
        using HeldDisk disk = new(1 << 20);
        using Machine machine = new(disks: [disk, new MemoryDisk(1 << 20)]);
        DriverQueue queue = machine.Driver.CreateQueue(1);
        NvmeDriver.Expect(machine.Admin.Execute(Start(SelfTestKind.Extended)));
        disk.WaitForAccess();

        for (int i = 0; i < 100; i++)
            NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Read, 0, 1, machine.NewPage(), nsid: 2)));

        Log(machine)[0].Should().Be(2);
        disk.Release();
        WaitForEnd(machine)[4].Should().Be(0x20);
    }

    [Fact]
    public void Driver_learns_that_there_are_tests()
    {
        using Machine machine = new();

        byte[] page = machine.Page(NewCommand.Identify(1, default));

        (BitConverter.ToUInt16(page, 256) & 1 << 4).Should().NotBe(0);
        BitConverter.ToUInt16(page, 316).Should().Be(1, "minutes");
        (BitConverter.ToUInt16(page, 520) & 1 << 1).Should().NotBe(0, "Write Uncorrectable");
    }
}
