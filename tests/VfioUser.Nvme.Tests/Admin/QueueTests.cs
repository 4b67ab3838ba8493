using Nvme.Driver;
using VfioUser.Nvme.Tests.Support;

namespace VfioUser.Nvme.Tests.Admin;

public class QueueTests
{
    private const uint Contiguous = 1;

    [Theory]
    [InlineData(0, 63, Contiguous, 0ul, Status.InvalidQueueId)]
    [InlineData(5, 63, Contiguous, 0ul, Status.InvalidQueueId)] // there are 4
    [InlineData(1, 63, Contiguous, 0ul, Status.InvalidQueueId)] // is there already
    [InlineData(2, 0, Contiguous, 0ul, Status.InvalidQueueSize)]
    [InlineData(2, 1024, Contiguous, 0ul, Status.InvalidQueueSize)]
    [InlineData(2, 0xFFFF, Contiguous, 0ul, Status.InvalidQueueSize)]
    [InlineData(2, 63, 0u, 0ul, Status.InvalidField)]
    [InlineData(2, 63, Contiguous, 0x10ul, Status.InvalidPrpOffset)]
    [InlineData(2, 63, Contiguous | 2 | 5 << 16, 0ul, Status.InvalidInterruptVector)]
    public void Completion_queue_that_cannot_be_is_refused(int id, int size, uint flags, ulong address, object status)
    {
        using Machine machine = new();
        machine.Driver.CreateQueue(1);

        Completion completion = machine.Admin.Execute(NewCommand.Admin(AdminOpcode.CreateCompletionQueue, 0,
            machine.NewPage() + address, (uint)(id | size << 16), flags));

        completion.Status.Should().Be((Status)status);
        completion.DoNotRetry.Should().BeTrue();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Vector_may_be_any_that_there_is_even_while_INTx_is_used(bool msiX)
    {
        using Machine machine = new(msiX: msiX);
        Iova completions = machine.NewPage();

        Completion created = machine.Admin.Execute(NewCommand.Admin(AdminOpcode.CreateCompletionQueue, 0, completions, 1 | 63 << 16, Contiguous | 2 | 4 << 16));
        NvmeDriver.Expect(machine.Admin.Execute(NewCommand.Admin(AdminOpcode.CreateSubmissionQueue, 0, machine.NewPage(), 1 | 63 << 16, Contiguous | 1 << 16)));
        machine.Driver.IrqOf(4).Take();
        machine.Driver.RingTail(1, 1); // a command of zeros: a flush of no namespace

        created.Status.Should().Be(Status.Success);
        machine.Driver.IrqOf(4).WaitForNext();
        machine.Guest.Memory.Read<uint>(completions + 12).Should().NotBe(0);
    }

    [Theory]
    [InlineData(0, 63, 1, Status.InvalidQueueId)]
    [InlineData(5, 63, 1, Status.InvalidQueueId)]
    [InlineData(1, 63, 1, Status.InvalidQueueId)]
    [InlineData(2, 0, 1, Status.InvalidQueueSize)]
    [InlineData(2, 63, 0, Status.InvalidQueueId)] // the admin queue's
    [InlineData(2, 63, 2, Status.CompletionQueueInvalid)]
    [InlineData(2, 63, 9, Status.InvalidQueueId)]
    public void Submission_queue_that_cannot_be_is_refused(int id, int size, int completions, object status)
    {
        using Machine machine = new();
        machine.Driver.CreateQueue(1);

        Completion completion = machine.Admin.Execute(NewCommand.Admin(AdminOpcode.CreateSubmissionQueue, 0,
            machine.NewPage(), (uint)(id | size << 16), Contiguous | (uint)completions << 16));

        completion.Status.Should().Be((Status)status);
    }

    [Fact]
    public void Completion_queue_is_deleted_after_its_submission_queues()
    {
        using Machine machine = new();
        machine.Driver.CreateQueue(1);

        Completion tooEarly = machine.Admin.Execute(NewCommand.Admin(AdminOpcode.DeleteCompletionQueue, dword10: 1));
        Completion submission = machine.Admin.Execute(NewCommand.Admin(AdminOpcode.DeleteSubmissionQueue, dword10: 1));
        Completion completion = machine.Admin.Execute(NewCommand.Admin(AdminOpcode.DeleteCompletionQueue, dword10: 1));
        Completion again = machine.Admin.Execute(NewCommand.Admin(AdminOpcode.DeleteCompletionQueue, dword10: 1));

        tooEarly.Status.Should().Be(Status.InvalidQueueDeletion);
        submission.Status.Should().Be(Status.Success);
        completion.Status.Should().Be(Status.Success);
        again.Status.Should().Be(Status.InvalidQueueId);
    }

    [Fact]
    public void Admin_queue_cannot_be_deleted()
    {
        using Machine machine = new();

        machine.Admin.Execute(NewCommand.Admin(AdminOpcode.DeleteSubmissionQueue, dword10: 0)).Status.Should().Be(Status.InvalidQueueId);
        machine.Admin.Execute(NewCommand.Admin(AdminOpcode.DeleteCompletionQueue, dword10: 0)).Status.Should().Be(Status.InvalidQueueId);
    }

    [Fact]
    public void Two_submission_queues_may_complete_in_one_place()
    {
        using Machine machine = new();
        DriverQueue first = machine.Driver.CreateQueue(1);
        DriverQueue second = new(machine.Driver, 2, 16, machine.Driver.IrqOf(1));
        NvmeDriver.Expect(machine.Admin.Execute(NewCommand.CreateSubmissionQueue(second, completions: 1)));

        second.Submit(NewCommand.Io(IoOpcode.Flush));
        Completion ofSecond = first.Take();
        Completion ofFirst = first.Execute(NewCommand.Io(IoOpcode.Flush) with { Id = 9 });

        ofSecond.SqId.Should().Be(2);
        ofFirst.SqId.Should().Be(1);
    }

    [Fact]
    public void All_64_queues_can_be_made_and_used()
    {
        using Machine machine = new(options: new NvmeControllerOptions { IoQueues = 64 });

        DriverQueue[] queues = [.. Enumerable.Range(1, 64).Select(id => machine.Driver.CreateQueue((ushort)id, 4))];

        foreach (DriverQueue queue in queues)
            NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Flush)));
        machine.Guest.MsiX[64].Count.Should().Be(1);
    }

    [Fact]
    public void Deleted_queue_can_be_made_again_and_starts_anew()
    {
        using Machine machine = new();

        for (int i = 0; i < 10; i++)
        {
            DriverQueue queue = machine.Driver.CreateQueue(1, 8);
            for (int j = 0; j < 11; j++)
                NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Flush)));
            machine.Driver.DeleteQueue(queue);
        }

        machine.Driver.HasFailed.Should().BeFalse();
    }
}
