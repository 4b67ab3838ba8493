using Nvme.Driver;
using VfioUser.Nvme.Tests.Support;

namespace VfioUser.Nvme.Tests.Controller;

/// <summary>Queues, events and register accesses as drivers other than Linux's have them: Windows' stornvme, EDK2's NvmExpressDxe.</summary>
public class DriverShapeTests
{
    [Theory]
    [InlineData(128)]
    [InlineData(5)] // no room for what the queues could complete at once
    public void Many_submission_queues_complete_in_one_queue_under_load(int completionEntries)
    {
        const int Queues = 6, Each = 40;
        using Machine machine = new(options: new NvmeControllerOptions { IoQueues = 8, Workers = 4 });
        DriverQueue completions = new(machine.Driver, 1, completionEntries, machine.Driver.IrqOf(1));
        NvmeDriver.Expect(machine.Admin.Execute(NewCommand.CreateCompletionQueue(completions, 1)));
        DriverQueue[] queues = [.. Enumerable.Range(1, Queues).Select(id => new DriverQueue(machine.Driver, (ushort)id, Each + 1, null))];
        foreach (DriverQueue queue in queues)
            NvmeDriver.Expect(machine.Admin.Execute(NewCommand.CreateSubmissionQueue(queue, completions: 1)));
        Iova page = machine.NewPage();

        foreach (DriverQueue queue in queues)
        {
            for (ushort id = 0; id < Each; id++)
                queue.PutAs(id, NewCommand.Io(IoOpcode.Read, id, 1, page));
        }
        foreach (DriverQueue queue in queues)
            queue.Ring();
        Completion[] all = [.. Enumerable.Range(0, Queues * Each).Select(_ => NvmeDriver.Expect(completions.Take()))];

        foreach (IGrouping<ushort, Completion> ofQueue in all.GroupBy(completion => completion.SqId))
        {
            ofQueue.Select(completion => (int)completion.CommandId).Should().BeEquivalentTo(Enumerable.Range(0, Each));
            ofQueue.Last().SqHead.Should().Be(Each, "all of the queue's commands were fetched");
        }
        all.Select(completion => completion.SqId).Distinct().Should().HaveCount(Queues);
    }

    [Fact]
    public void Submission_queue_of_a_shared_completion_queue_is_deleted_while_the_others_go_on()
    {
        using Machine machine = new();
        DriverQueue first = machine.Driver.CreateQueue(1);
        DriverQueue second = new(machine.Driver, 2, 16, null);
        NvmeDriver.Expect(machine.Admin.Execute(NewCommand.CreateSubmissionQueue(second, completions: 1)));

        NvmeDriver.Expect(machine.Admin.Execute(NewCommand.Admin(AdminOpcode.DeleteSubmissionQueue, dword10: 1)));
        Completion tooEarly = machine.Admin.Execute(NewCommand.Admin(AdminOpcode.DeleteCompletionQueue, dword10: 1));
        second.Submit(NewCommand.Io(IoOpcode.Flush));

        tooEarly.Status.Should().Be(Status.InvalidQueueDeletion);
        NvmeDriver.Expect(first.Take()).SqId.Should().Be(2);
    }

    [Fact]
    public void Four_requests_for_events_are_outstanding_and_each_event_takes_one()
    {
        using Machine machine = new();
        NvmeDriver.Expect(machine.Admin.Execute(NewCommand.Admin(AdminOpcode.SetFeatures, dword10: 0x0B, dword11: 0x1F | 1 << 8)));
        ushort[] requests = [.. Enumerable.Range(0, 4).Select(_ => machine.Admin.Submit(NewCommand.Admin(AdminOpcode.AsyncEventRequest)))];

        machine.Guest.Bar0.Write(0x1000 + 3 * 8, 1u); // a queue that there is not
        Completion error = machine.Admin.Take();
        machine.Admin.Submit(NewCommand.Admin(AdminOpcode.SetFeatures, dword10: 4, dword11: 300)); // below what it is
        Completion[] warm = [machine.Admin.Take(), machine.Admin.Take()];
        machine.Controller.AddNamespace(new NvmeNamespace(new MemoryDisk(1 << 20)));
        Completion notice = machine.Admin.Take();

        error.Result.Should().Be(0x0001_0000u);
        warm.Should().ContainSingle(completion => completion.Result == 0x0002_0101u);
        notice.Result.Should().Be(0x0004_0002u);
        Completion health = warm.Single(completion => requests.Contains(completion.CommandId));
        new[] { error.CommandId, health.CommandId, notice.CommandId }.Should().Equal(requests.Take(3));
        NvmeDriver.Expect(machine.Admin.Execute(NewCommand.Admin(AdminOpcode.GetFeatures, dword10: 1)));
        machine.Admin.TryTake(out _).Should().BeFalse("the fourth waits");
    }

    [Fact]
    public void Registers_read_the_same_in_bytes_words_and_halves()
    {
        using Machine machine = new();
        byte[] bytes = new byte[0x38];

        for (int i = 0; i < bytes.Length; i++)
            bytes[i] = machine.Guest.Bar0.Read<byte>(i);

        for (int i = 0; i < bytes.Length; i += sizeof(ushort))
            machine.Guest.Bar0.Read<ushort>(i).Should().Be(BitConverter.ToUInt16(bytes, i), "it is at 0x{0:x}", i);
        for (int i = 0; i < bytes.Length; i += sizeof(uint))
            machine.Guest.Bar0.Read<uint>(i).Should().Be(BitConverter.ToUInt32(bytes, i), "it is at 0x{0:x}", i);
        foreach (int i in new[] { 0x00, 0x28, 0x30 })
            machine.Guest.Bar0.Read<ulong>(i).Should().Be(BitConverter.ToUInt64(bytes, i), "it is at 0x{0:x}", i);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)] // the upper half first
    public void Controller_is_set_up_by_dwords(bool upperFirst)
    {
        using Machine machine = new(enable: false);
        void Write(long offset, ulong value)
        {
            uint[] halves = [(uint)value, (uint)(value >> 32)];
            foreach (int half in upperFirst ? new[] { 1, 0 } : [0, 1])
                machine.Guest.Bar0.Write(offset + half * sizeof(uint), halves[half]);
        }

        machine.Guest.Bar0.Write(0x24, (ushort)31);
        machine.Guest.Bar0.Write(0x26, (ushort)31);
        Write(0x28, machine.Admin.Submissions.Value);
        Write(0x30, machine.Admin.Completions.Value);
        machine.Guest.Bar0.Write(0x16, (byte)0x46); // entry sizes
        machine.Guest.Bar0.Write(0x14, (byte)1);
        machine.Driver.WaitForStatus(status => (status & 3) != 0);

        machine.Driver.Status.Should().Be(1);
        NvmeDriver.Expect(machine.Driver.CreateQueue(1).Execute(NewCommand.Io(IoOpcode.Flush)));
    }

    [Theory]
    [InlineData(NvmeDoorbellKind.Trapped)]
    [InlineData(NvmeDoorbellKind.Mapped)]
    public void Firmware_that_never_asks_makes_two_queues_on_a_controller_that_offers_one(NvmeDoorbellKind doorbells)
    {
        using Machine machine = new(options: new NvmeControllerOptions { IoQueues = 1, Doorbells = doorbells }, msiX: false);
        DriverQueue[] queues = [new(machine.Driver, 1, 2, null), new(machine.Driver, 2, 64, null)];

        foreach (DriverQueue queue in queues)
        {
            NvmeDriver.Expect(machine.Admin.Execute(NewCommand.CreateCompletionQueue(queue, 0, interrupts: false)));
            NvmeDriver.Expect(machine.Admin.Execute(NewCommand.CreateSubmissionQueue(queue)));
        }

        foreach (DriverQueue queue in queues)
            NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Read, 0, 1, machine.NewPage())));
        machine.Admin.Execute(NewCommand.Admin(AdminOpcode.GetFeatures, dword10: 7)).Result.Should().Be(0u, "one pair is offered");
        machine.Admin.Execute(NewCommand.Admin(AdminOpcode.CreateCompletionQueue, 0, machine.NewPage(), 3 | 63 << 16, 1)).Status
            .Should().Be(Status.InvalidQueueId);
    }
}
