using System.Runtime.InteropServices;
using Nvme.Driver;
using VfioUser.Nvme.Tests.Support;
using VfioUser.Testing;

namespace VfioUser.Nvme.Tests.Controller;

public class HostileGuestTests
{
    [Theory]
    [InlineData(GuestMemoryKind.Mapped)]
    [InlineData(GuestMemoryKind.SingleSocket)]
    public void Queue_without_memory_is_fatal_until_a_reset(GuestMemoryKind memory)
    {
        using Machine machine = new(memory);
        Command create = NewCommand.Admin(AdminOpcode.CreateCompletionQueue, 0, new Iova(0xDEAD_0000_0000), 1 | 63u << 16, 1);
        NvmeDriver.Expect(machine.Admin.Execute(create));
        NvmeDriver.Expect(machine.Admin.Execute(NewCommand.Admin(AdminOpcode.CreateSubmissionQueue, 0, new Iova(0xDEAD_0000_0000), 1 | 63u << 16, 1 | 1 << 16)));

        machine.Driver.RingTail(1, 1);
        machine.Driver.WaitForStatus(status => (status & 2) != 0);
        machine.Driver.Disable();
        machine.Driver.Enable();

        machine.Driver.Status.Should().Be(1);
        NvmeDriver.Expect(machine.Driver.CreateQueue(1).Execute(NewCommand.Io(IoOpcode.Flush)));
    }

    [Fact]
    public void Completion_queue_without_memory_is_fatal_too()
    {
        using Machine machine = new();
        DriverQueue queue = new(machine.Driver, 1, 64, null);
        NvmeDriver.Expect(machine.Admin.Execute(NewCommand.Admin(AdminOpcode.CreateCompletionQueue, 0, new Iova(0xDEAD_0000_0000), 1 | 63u << 16, 1)));
        NvmeDriver.Expect(machine.Admin.Execute(NewCommand.CreateSubmissionQueue(queue)));

        queue.Submit(NewCommand.Io(IoOpcode.Flush));

        machine.Driver.WaitForStatus(status => (status & 2) != 0);
        machine.Log.Should().ContainSingle();
    }

    [Fact]
    public void A_client_that_refuses_is_not_taken_for_a_guest_that_gave_a_wrong_address()
    {
        using Machine machine = new(GuestMemoryKind.SingleSocket);
        DriverQueue queue = machine.Driver.CreateQueue(1);
        using GuestDmaFault refusal = machine.Guest.Faults.FailDma();

        queue.Submit(NewCommand.Io(IoOpcode.Flush));

        machine.Driver.WaitForStatus(status => (status & 2) != 0);
        machine.Log.Should().ContainSingle().Which.Should().EndWith(", and the client refuses to access it.");
    }

    [Theory]
    [InlineData(GuestMemoryKind.SingleSocket)]
    [InlineData(GuestMemoryKind.TwinSocket)]
    public async Task A_client_that_has_gone_is_not_taken_for_a_guest_that_gave_a_wrong_address(GuestMemoryKind memory)
    {
        using Machine machine = new(memory);
        DriverQueue queue = machine.Driver.CreateQueue(1);
        using GuestDmaFault held = machine.Guest.Faults.HoldDma();
        queue.Submit(NewCommand.Io(IoOpcode.Flush));
        held.WaitForHits();

        Task gone = machine.Guest.Faults.DisconnectAsync();
        held.Release();
        await gone.WaitAsync(TimeSpan.FromSeconds(60));

        machine.Log.Should().ContainSingle().Which.Should().StartWith("The controller has failed, until the guest resets it: the client has gone, and submission queue 1");
    }

    [Fact]
    public void Doorbells_out_of_range_change_nothing()
    {
        using Machine machine = new();
        DriverQueue queue = machine.Driver.CreateQueue(1, 16);

        foreach (long offset in (ulong[])[0x1000 + 8 * 5, 0x1FFC, 0x1008, 0x100C])
            machine.Guest.Bar0.Write(offset, 0xFFFF_FFFFu);
        machine.Guest.Bar0.Write(0x1008, 16u);
        machine.Guest.Bar0.Write(0x1009, (byte)3);
        machine.Guest.Bar0.Write(0x1008, (ushort)3);

        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Flush)));
        queue.TryTake(out _).Should().BeFalse();
    }

    [Fact]
    public void Write_of_two_doorbells_at_once_is_two_writes()
    {
        using Machine machine = new();
        DriverQueue queue = machine.Driver.CreateQueue(1, 16);
        machine.Guest.Memory.WriteStruct(queue.Submissions, NewCommand.Io(IoOpcode.Flush));

        machine.Guest.Bar0.Write(0x1008, 1ul);

        queue.Take();
        machine.Driver.HasFailed.Should().BeFalse();
    }

    [Fact]
    public void Tail_that_jumps_ahead_runs_what_lies_in_the_queue_and_ends()
    {
        using Machine machine = new();
        DriverQueue queue = machine.Driver.CreateQueue(1, 64);
        byte[] garbage = Machine.Pattern(63 * 64);
        machine.Guest.Memory.Write(queue.Submissions, garbage);

        machine.Driver.RingTail(1, 63);
        for (int i = 0; i < 63; i++)
            queue.Take();

        machine.Driver.HasFailed.Should().BeFalse();
    }

    [Fact]
    public void Completion_queue_head_ahead_of_the_tail_is_ignored_and_told()
    {
        using HeldDisk disk = new(1 << 20);
        using Machine machine = new(disks: [disk]);
        DriverQueue queue = machine.Driver.CreateQueue(1, 16);
        machine.Admin.Submit(NewCommand.Admin(AdminOpcode.AsyncEventRequest));
        Iova page = machine.NewPage();
        void Put(int reads)
        {
            for (int i = 0; i < reads; i++)
                queue.Put(NewCommand.Io(IoOpcode.Read, 0, 1, page));
            queue.Ring();
        }

        Put(4);
        for (int i = 0; i < 4; i++)
            disk.WaitForAccess();
        machine.Driver.RingHead(1, 1); // nothing has been completed
        Put(12); // one more than there is room for
        Completion told = machine.Admin.Take();
        disk.Release();
        for (int i = 0; i < 16; i++)
            NvmeDriver.Expect(queue.Take());

        told.Result.Should().Be(0x0001_0100u, "invalid doorbell value");
        machine.Driver.HasFailed.Should().BeFalse();
        machine.Driver.Disable();
        machine.Driver.Enable();
        machine.Driver.Status.Should().Be(1);
    }

    [Fact]
    public void Heads_and_tails_of_all_values_leave_a_controller_that_can_be_reset()
    {
        using HeldDisk disk = new(1 << 20);
        using Machine machine = new(disks: [disk]);
        Iova page = machine.NewPage();
        Random random = new(1);

        for (int round = 0; round < 20; round++)
        {
            disk.Hold();
            DriverQueue queue = machine.Driver.CreateQueue(1, 16);
            for (int i = 0; i < 16; i++)
                queue.Put(NewCommand.Io(IoOpcode.Read, 0, 1, page));
            for (int i = 0; i < 100; i++)
            {
                machine.Driver.RingTail(1, (uint)random.Next(16));
                machine.Driver.RingHead(1, (uint)random.Next(16));
                machine.Driver.RingHead(0, (uint)random.Next(32));
            }
            disk.Release();
            machine.Driver.Disable();
            machine.Driver.Enable();
        }

        machine.Driver.Status.Should().Be(1);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Random_commands_end_in_a_status_and_break_nothing(int seed)
    {
        using Machine machine = new();
        Random random = new(seed);
        Iova memory = machine.Guest.Memory.Allocate(1 << 20);
        byte[] noise = new byte[1 << 20];
        random.NextBytes(noise);
        machine.Guest.Memory.Write(memory, noise);
        DriverQueue queue = machine.Driver.CreateQueue(1);

        for (int i = 0; i < 1000; i++)
        {
            Command command = RandomCommand(random, memory, i % 4 == 0);
            if (i % 4 == 0 && command.Opcode is (byte)AdminOpcode.AsyncEventRequest or (byte)AdminOpcode.DoorbellBufferConfig
                or (byte)AdminOpcode.DeleteSubmissionQueue or (byte)AdminOpcode.DeleteCompletionQueue)
            {
                continue; // they are answered late, or take the test's queue away
            }
            (i % 4 == 0 ? machine.Admin : queue).Execute(command);
        }

        machine.Driver.HasFailed.Should().BeFalse(string.Join('\n', machine.Log));
        machine.Driver.Disable();
        machine.Driver.Enable();
        NvmeDriver.Expect(machine.Driver.CreateQueue(1).Execute(NewCommand.Io(IoOpcode.Flush)));
    }

    [Fact]
    public void Registers_take_any_access_of_any_width()
    {
        using Machine machine = new();
        Random random = new(1);

        for (int i = 0; i < 500; i++)
        {
            int length = random.Next(1, 17);
            int offset = random.Next(0, 0x4000 - length);
            byte[] bytes = new byte[length];
            random.NextBytes(bytes);
            machine.Guest.Bar0.Read(offset, bytes);
            machine.Guest.Bar0.Write(offset, bytes);
        }
        machine.Guest.Reset();
        machine.Driver.Enable();

        machine.Driver.Status.Should().Be(1);
    }

    [Fact]
    public void Memory_that_is_unmapped_under_a_busy_queue_stops_it_and_no_more()
    {
        using Machine machine = new();
        DriverQueue queue = machine.Driver.CreateQueue(1);
        for (int i = 0; i < 32; i++)
            queue.Put(NewCommand.Io(IoOpcode.Read, (ulong)i, 8, machine.NewPage()));
        queue.Ring();

        machine.Guest.Client.UnmapAllDma();
        machine.Driver.RingTail(1, 60);

        machine.Driver.Disable();
        machine.Driver.Status.Should().Be(0);
    }

    private static Command RandomCommand(Random random, Iova memory, bool admin)
    {
        byte[] bytes = new byte[Command.WireSize];
        random.NextBytes(bytes);
        Command command = MemoryMarshal.Read<Command>(bytes);
        byte[] opcodes = admin ? [.. Enum.GetValues<AdminOpcode>().Select(code => (byte)code)] : [.. Enum.GetValues<IoOpcode>().Select(code => (byte)code)];
        ulong Address() => random.Next(8) == 0 ? (ulong)random.NextInt64() : (memory + (ulong)random.Next(1 << 20)).Value & ~(random.Next(3) == 0 ? 0ul : 0xFFFul);
        return command with
        {
            Opcode = random.Next(16) == 0 ? command.Opcode : opcodes[random.Next(opcodes.Length)],
            Flags = random.Next(4) == 0 ? command.Flags : (byte)0,
            Nsid = random.Next(8) == 0 ? command.Nsid : 1,
            Prp1 = Address(),
            Prp2 = Address(),
            Dword10 = random.Next(2) == 0 ? (uint)random.Next(0, 20_000) : command.Dword10,
            Dword11 = random.Next(2) == 0 ? (uint)random.Next(0, 8) : command.Dword11,
            Dword12 = random.Next(2) == 0 ? (uint)random.Next(0, 1100) : command.Dword12,
        };
    }
}
