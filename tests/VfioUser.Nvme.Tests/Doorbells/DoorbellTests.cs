using Nvme.Driver;
using VfioUser.Nvme.Tests.Support;
using VfioUser.Testing;

namespace VfioUser.Nvme.Tests.Doorbells;

public class DoorbellTests
{
    private static void WriteAndRead(Machine machine, int rounds, int entries = 16)
    {
        DriverQueue queue = machine.Driver.CreateQueue(1, entries);
        Iova page = machine.NewPage();
        for (ulong i = 0; i < (ulong)rounds; i++)
        {
            machine.Guest.Memory.Write(page, i);
            NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Write, i, 1, page)));
            machine.Guest.Memory.Write(page, ~i);
            NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Read, i, 1, page)));
            machine.Guest.Memory.Read<ulong>(page).Should().Be(i);
        }
    }

    // time enough for a worker to see what it should not, or to fall asleep
    private static void BeBusyElsewhere(Machine machine)
    {
        for (int i = 0; i < 100; i++)
            NvmeDriver.Expect(machine.Admin.Execute(NewCommand.Admin(AdminOpcode.GetFeatures, dword10: 1)));
    }

    [Fact]
    public void Mapped_page_needs_no_message()
    {
        using Machine machine = new(options: new NvmeControllerOptions { Doorbells = NvmeDoorbellKind.Mapped });

        WriteAndRead(machine, 50);

        machine.Driver.HasPollingIntervals.Should().BeTrue();
        machine.Driver.Rings.Should().Be(0);
    }

    [Fact]
    public void Mapped_page_is_looked_at_after_the_controller_was_reset_too()
    {
        using Machine machine = new(options: new NvmeControllerOptions { Doorbells = NvmeDoorbellKind.Mapped });

        for (int i = 0; i < 3; i++)
        {
            WriteAndRead(machine, 5);
            machine.Driver.Disable();
            machine.Driver.Enable();
        }

        WriteAndRead(machine, 5);
    }

    [Theory]
    [InlineData(GuestMemoryKind.Mapped)]
    [InlineData(GuestMemoryKind.SingleSocket)]
    public void Shadow_doorbells_ring_only_a_controller_that_sleeps(GuestMemoryKind memory)
    {
        using Machine machine = new(memory, new NvmeControllerOptions { Spin = TimeSpan.FromSeconds(5), IsSpinFixed = true });
        machine.Driver.UseShadowDoorbells();
        int before = machine.Driver.Rings;

        WriteAndRead(machine, 100, entries: 256); // a lap of the ring rings once

        // the admin commands that made the queue ring, twice each; the rest finds a controller that looks
        (machine.Driver.Rings - before).Should().BeLessThan(20);
    }

    [Fact]
    public void Controller_that_sleeps_is_woken_by_the_driver()
    {
        using Machine machine = new(options: new NvmeControllerOptions { Spin = TimeSpan.Zero });
        machine.Driver.UseShadowDoorbells();

        WriteAndRead(machine, 200);

        machine.Driver.HasFailed.Should().BeFalse();
    }

    [Fact]
    public void Shadow_doorbells_begin_for_queues_that_are_there_and_end_with_a_reset()
    {
        using Machine machine = new();
        DriverQueue queue = machine.Driver.CreateQueue(1);
        machine.Driver.UseShadowDoorbells();

        for (int i = 0; i < 100; i++)
            NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Flush)));
        machine.Driver.Disable();
        machine.Driver.Enable();
        WriteAndRead(machine, 20);

        machine.Driver.HasFailed.Should().BeFalse();
    }

    [Fact]
    public void Full_completion_queue_goes_on_when_the_shadow_head_moves()
    {
        using Machine machine = new(options: new NvmeControllerOptions { Spin = TimeSpan.Zero });
        machine.Driver.UseShadowDoorbells();
        DriverQueue queue = machine.Driver.CreateQueue(1, entries: 4);

        for (int round = 0; round < 50; round++)
        {
            for (int i = 0; i < 3; i++)
                queue.Put(NewCommand.Io(IoOpcode.Flush));
            queue.Ring();
            for (int i = 0; i < 3; i++)
                NvmeDriver.Expect(queue.Take(ring: false));
            queue.RingHead();
        }

        machine.Driver.HasFailed.Should().BeFalse();
    }

    [Fact]
    public void Command_behind_a_full_completion_queue_is_fetched_when_the_driver_takes_completions_one_by_one()
    {
        using Machine machine = new(GuestMemoryKind.TwinSocket, new NvmeControllerOptions { Spin = TimeSpan.Zero });
        machine.Driver.UseShadowDoorbells();
        DriverQueue queue = machine.Driver.CreateQueue(1, entries: 4);
        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Flush)));
        SpinWait.SpinUntil(() => machine.Driver.EventIndex(DoorbellRegisters.TailOf(1)) == 1, TimeSpan.FromSeconds(60)).Should().BeTrue();
        // two halves of a completion each, and then the worker arms the doorbell
        using GuestDmaFault arming = machine.Guest.Faults.HoldDma(DmaDirection.Write, skip: 6);
        for (int i = 0; i < 3; i++)
            queue.Put(NewCommand.Io(IoOpcode.Flush));
        queue.Ring();
        arming.WaitForHits();
        int before = machine.Driver.Rings;

        queue.Submit(NewCommand.Io(IoOpcode.Flush));
        int rings = machine.Driver.Rings - before;
        arming.Release();
        BeBusyElsewhere(machine); // the worker sleeps by now
        for (int i = 0; i < 4; i++)
            NvmeDriver.Expect(queue.Take());

        rings.Should().Be(0, "the doorbell was not armed yet");
    }

    [Fact]
    public void Shadow_doorbells_start_where_the_queues_are()
    {
        using Machine machine = new();
        DriverQueue queue = machine.Driver.CreateQueue(1);
        for (int i = 0; i < 5; i++)
            NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Flush)));

        machine.Driver.UseShadowDoorbells(); // on a page of zeros
        BeBusyElsewhere(machine);
        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Flush)));

        machine.Controller.Queues[1].Commands.Should().Be(6, "what lies in the queue from before is not carried out again");
        queue.TryTake(out _).Should().BeFalse();
    }

    [Fact]
    public void Queue_made_while_shadow_doorbells_are_on_starts_empty()
    {
        using Machine machine = new();
        machine.Driver.UseShadowDoorbells();
        DriverQueue queue = machine.Driver.CreateQueue(1);
        for (int i = 0; i < 5; i++)
            NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Flush)));
        machine.Driver.DeleteQueue(queue);

        queue = machine.Driver.CreateQueue(1);
        BeBusyElsewhere(machine);
        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Flush)));

        machine.Controller.Queues[1].Commands.Should().Be(1);
        queue.TryTake(out _).Should().BeFalse();
    }

    [Fact]
    public void Pages_are_exchanged_when_no_worker_uses_the_old_ones_any_more()
    {
        ScriptedDisk disk = new(1 << 20, blocks: false);
        using SemaphoreSlim reading = new(0);
        using SemaphoreSlim released = new(0);
        // by message: otherwise the Command thread may be the one that reads
        using Machine machine = new(GuestMemoryKind.TwinSocket, disks: [disk]);
        machine.Driver.UseShadowDoorbells();
        DriverQueue queue = machine.Driver.CreateQueue(1);
        disk.OnRead = () =>
        {
            reading.Release();
            released.Wait();
        };
        queue.Submit(NewCommand.Io(IoOpcode.Read, 0, 1, machine.NewPage()));
        reading.Wait(TimeSpan.FromSeconds(60)).Should().BeTrue();

        machine.Admin.Submit(NewCommand.Admin(AdminOpcode.DoorbellBufferConfig, 0, machine.NewPage(), second: machine.NewPage()));
        for (int i = 0; i < 500; i++)
            _ = machine.Driver.Status; // time enough for one that does not wait
        bool early = machine.Admin.TryTake(out _);
        released.Release(10);

        early.Should().BeFalse("the worker may be about to arm a doorbell");
        NvmeDriver.Expect(machine.Admin.Take());
        NvmeDriver.Expect(queue.Take());
    }

    [Theory]
    [InlineData(0x10ul, 0x1_0000_0000ul)]
    [InlineData(0xDEAD_0000_0000ul, 0x1_0000_0000ul)]
    [InlineData(0x1_0000_0000ul, 0xDEAD_0000_0000ul)]
    public void Shadow_that_is_no_memory_is_refused(ulong doorbells, ulong events)
    {
        using Machine machine = new();

        Completion completion = machine.Admin.Execute(NewCommand.Admin(AdminOpcode.DoorbellBufferConfig, 0, new Iova(doorbells), second: new Iova(events)));

        completion.Status.Should().Be(Status.InvalidField);
    }

    [Theory]
    [InlineData(NvmeDoorbellKind.Trapped, true, true, 1)]
    [InlineData(NvmeDoorbellKind.Trapped, false, true, 0)]
    [InlineData(NvmeDoorbellKind.Mapped, true, true, 0)]
    [InlineData(NvmeDoorbellKind.Trapped, true, false, 0)] // nothing would tell QEMU that the pin's interrupt was handled
    public void Shadow_doorbells_are_offered_where_they_announce_something(NvmeDoorbellKind kind, bool wanted, bool msiX, int offered)
    {
        using Machine machine = new(options: new NvmeControllerOptions { Doorbells = kind, ShadowDoorbells = wanted }, msiX: msiX);

        byte[] page = machine.Page(NewCommand.Identify(1, default));
        Completion completion = machine.Admin.Execute(NewCommand.Admin(AdminOpcode.DoorbellBufferConfig, 0, machine.NewPage(), second: machine.NewPage()));

        (page[257] & 1).Should().Be(offered);
        completion.Status.Should().Be(offered == 1 ? Status.Success : Status.InvalidOpcode);
    }

    [Theory]
    [InlineData(NvmeDoorbellKind.Trapped)]
    [InlineData(NvmeDoorbellKind.Mapped)]
    public void Interrupt_pin_is_let_go_when_the_driver_has_taken_everything(NvmeDoorbellKind kind)
    {
        using Machine machine = new(options: new NvmeControllerOptions { Doorbells = kind }, msiX: false);
        DriverQueue queue = machine.Driver.CreateQueue(1);

        for (int i = 0; i < 20; i++)
        {
            NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Flush)));
            SpinWait.SpinUntil(() => !machine.Controller.IsIntxAsserted, TimeSpan.FromSeconds(60)).Should().BeTrue();
        }
    }

    [Fact]
    public void Interrupt_pin_is_let_go_when_the_guest_turns_to_msix_and_asserted_when_it_turns_back()
    {
        using Machine machine = new(msiX: false);
        DriverQueue queue = machine.Driver.CreateQueue(1);
        int control = machine.Controller.Config.MsiX!.Offset + 2;
        queue.Submit(NewCommand.Io(IoOpcode.Flush));
        SpinWait.SpinUntil(() => machine.Controller.IsIntxAsserted, TimeSpan.FromSeconds(60)).Should().BeTrue();

        machine.Guest.Config.Write(control, (ushort)0x8000);
        bool withMsiX = machine.Controller.IsIntxAsserted;
        ushort status = machine.Guest.Config.Read<ushort>(6);
        machine.Guest.Config.Write(control, (ushort)0);

        withMsiX.Should().BeFalse("a function with MSI-X enabled has no interrupt pin");
        (status & 8).Should().Be(0);
        machine.Controller.IsIntxAsserted.Should().BeTrue("the completion has not been taken");
    }

    [Theory]
    [InlineData(NvmeDoorbellKind.Trapped)]
    [InlineData(NvmeDoorbellKind.Mapped)]
    public void Unmasking_the_pin_delivers_nothing_that_the_driver_has_taken(NvmeDoorbellKind kind)
    {
        using Machine machine = new(options: new NvmeControllerOptions { Doorbells = kind, Spin = TimeSpan.Zero, Pause = TimeSpan.FromMilliseconds(10) }, msiX: false);
        DriverQueue queue = machine.Driver.CreateQueue(1);
        machine.Guest.Intx.Take();
        machine.Guest.Intx.Unmask();

        for (int i = 0; i < 50; i++)
        {
            queue.Submit(NewCommand.Io(IoOpcode.Flush));
            machine.Guest.Intx.WaitForNext();
            NvmeDriver.Expect(queue.Take());

            machine.Controller.IsIntxAsserted.Should().BeFalse();
            machine.Guest.Intx.Take().Should().Be(0);
        }
    }

    // QEMU does not let the guest write the page by itself while it delivers INTx
    [Fact]
    public void Head_written_by_message_releases_intx_before_the_reply_also_on_a_mapped_page()
    {
        using Machine machine = new(options: new NvmeControllerOptions { Doorbells = NvmeDoorbellKind.Mapped }, msiX: false);
        DriverQueue queue = machine.Driver.CreateQueue(1);
        machine.Guest.Intx.Take();

        for (uint i = 1; i <= 50; i++)
        {
            queue.Submit(NewCommand.Io(IoOpcode.Flush));
            SpinWait.SpinUntil(() => machine.Controller.IsIntxAsserted, TimeSpan.FromSeconds(60)).Should().BeTrue();
            // the guest takes the completion before it is interrupted
            queue.TryTake(out Completion completion, ring: false).Should().BeTrue();
            NvmeDriver.Expect(completion);
            machine.Guest.Bar0.Write(DoorbellRegisters.Offset + DoorbellRegisters.HeadOf(1) * sizeof(uint), i % 64);

            machine.Controller.IsIntxAsserted.Should().BeFalse();
            machine.Guest.Intx.Take().Should().Be(0);
        }
    }
}
