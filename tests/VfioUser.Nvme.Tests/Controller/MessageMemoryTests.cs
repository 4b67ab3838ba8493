using Nvme.Driver;
using VfioUser.Nvme.Tests.Support;
using VfioUser.Testing;

namespace VfioUser.Nvme.Tests.Controller;

/// <summary>A client that answers for its memory only when its own commands were answered, as QEMU does.</summary>
public class MessageMemoryTests
{
    private const ulong Other = 1ul << 40; // where the guest has nothing else

    [Theory]
    [InlineData(GuestMemoryKind.SingleSocket, true)]
    [InlineData(GuestMemoryKind.SingleSocket, false)]
    [InlineData(GuestMemoryKind.TwinSocket, true)]
    [InlineData(GuestMemoryKind.TwinSocket, false)]
    public void Commands_are_answered_while_the_client_answers_for_no_memory(GuestMemoryKind memory, bool msiX)
    {
        using Machine machine = new(memory, msiX: msiX);
        DriverQueue queue = machine.Driver.CreateQueue(1);
        Iova page = machine.NewPage();
        for (int skip = 0; skip < 5; skip++) // the command, its data, both halves of its completion, none
        {
            using GuestDmaFault held = machine.Guest.Faults.HoldDma(skip: skip);
            queue.Submit(NewCommand.Io(IoOpcode.Read, 0, 1, page));
            if (skip < 4)
                held.WaitForHits();

            machine.Guest.Bar0.Read<uint>(0x1C).Should().Be(1);
            queue.RingHead(); // as for the completion before
            machine.Guest.Client.MapDma(Other, 4096);
            machine.Guest.Client.UnmapDma(Other, 4096);
            if (!msiX)
                machine.Guest.Intx.Unmask();

            held.Release();
            NvmeDriver.Expect(queue.Take());
        }
    }

    [Theory]
    [InlineData(nameof(IoOpcode.Read), 0)]
    [InlineData(nameof(IoOpcode.Read), 1 << 30)]
    [InlineData(nameof(IoOpcode.Write), 0)]
    [InlineData(nameof(IoOpcode.Compare), 0)]
    public void Thread_that_brings_the_answer_of_a_disk_does_not_wait_for_the_client(string opcode, uint forceUnitAccess)
    {
        using LaterDisk disk = new(1 << 20);
        using Machine machine = new(GuestMemoryKind.SingleSocket, disks: [disk]);
        DriverQueue queue = machine.Driver.CreateQueue(1);
        queue.Submit(NewCommand.Io(Enum.Parse<IoOpcode>(opcode), 0, 1, machine.NewPage()) with { Dword12 = forceUnitAccess });
        if (forceUnitAccess != 0)
            disk.Take().Answer(); // the flush before
        LaterDisk.Request request = disk.Take();
        using GuestDmaFault held = machine.Guest.Faults.HoldDma(count: int.MaxValue);
        Thread answering = new(request.Answer);

        answering.Start();
        held.WaitForHits();

        answering.Join(TimeSpan.FromSeconds(10)).Should().BeTrue("it may have the answers of other guests");
        held.Release();
        NvmeDriver.Expect(queue.Take());
        answering.Join();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(3)]
    public void Reset_is_answered_while_the_client_answers_for_no_memory(int skip)
    {
        using Machine machine = new(GuestMemoryKind.SingleSocket);
        DriverQueue queue = machine.Driver.CreateQueue(1);
        using GuestDmaFault held = machine.Guest.Faults.HoldDma(skip: skip, count: int.MaxValue);
        queue.Submit(NewCommand.Io(IoOpcode.Read, 0, 1, machine.NewPage()));
        held.WaitForHits();

        machine.Guest.Reset();

        machine.Driver.Status.Should().Be(0);
        machine.Log.Should().BeEmpty();
        held.Release();
        machine.Driver.Enable();
    }

    [Fact]
    public void Disabling_is_answered_while_the_client_answers_for_no_memory_and_over_only_then()
    {
        using Machine machine = new(GuestMemoryKind.SingleSocket);
        DriverQueue queue = machine.Driver.CreateQueue(1);
        using GuestDmaFault held = machine.Guest.Faults.HoldDma(skip: 1);
        queue.Submit(NewCommand.Io(IoOpcode.Read, 0, 1, machine.NewPage()));
        held.WaitForHits();

        machine.Guest.Bar0.Write(0x14, 0u);
        machine.Driver.Status.Should().Be(1, "its data is still under way");

        held.Release();
        machine.Driver.WaitForStatus(status => status == 0);
        machine.Driver.Enable();
        machine.Page(NewCommand.Identify(1, default))[77].Should().Be(7);
    }
}
