using Nvme.Driver;
using VfioUser.Nvme.Tests.Support;
using VfioUser.Testing;

namespace VfioUser.Nvme.Tests.Controller;

public class LifecycleTests
{
    [Fact]
    public void Registers_say_what_the_controller_is()
    {
        using Machine machine = new(enable: false);

        ulong capabilities = machine.Guest.Bar0.Read<ulong>(0x00);

        (capabilities & 0xFFFF).Should().Be(1023, "queues have up to 1024 entries");
        (capabilities >> 16 & 1).Should().Be(1, "queues are contiguous");
        (capabilities >> 24 & 0xFF).Should().Be(255, "a reset waits for the disk");
        (capabilities >> 32 & 0xF).Should().Be(0, "doorbells are 4 bytes apart");
        (capabilities >> 37 & 1).Should().Be(1, "it has the NVM command set");
        (capabilities >> 48 & 0xFF).Should().Be(0, "pages have 4 KiB");
        machine.Guest.Bar0.Read<uint>(0x04).Should().Be((uint)(capabilities >> 32), "drivers read halves too");
        machine.Guest.Bar0.Read<uint>(0x08).Should().Be(0x0001_0400u);
        machine.Driver.Status.Should().Be(0);
    }

    [Theory]
    [InlineData(GuestMemoryKind.Mapped)]
    [InlineData(GuestMemoryKind.FileIo)]
    [InlineData(GuestMemoryKind.TwinSocket)]
    [InlineData(GuestMemoryKind.SingleSocket)]
    public void Enabled_controller_is_ready_and_answers_on_the_admin_queue(GuestMemoryKind memory)
    {
        using Machine machine = new(memory);

        byte[] page = machine.Page(NewCommand.Identify(1, default));

        machine.Driver.IsReady.Should().BeTrue();
        System.Text.Encoding.ASCII.GetString(page, 4, 20).TrimEnd().Should().MatchRegex("^VU[0-9A-F]{16}$");
    }

    [Fact]
    public void Controller_can_be_disabled_and_enabled_again_and_again()
    {
        using Machine machine = new();

        for (int i = 0; i < 20; i++)
        {
            machine.Driver.CreateQueue(1);
            machine.Driver.Disable();
            machine.Driver.Status.Should().Be(0);
            machine.Driver.Enable();
        }

        machine.Driver.IsReady.Should().BeTrue();
        machine.Page(NewCommand.Identify(1, default)).Should().NotBeNull();
    }

    [Fact]
    public void Shutdown_is_reported_complete_and_a_reset_clears_it()
    {
        using Machine machine = new();

        machine.Driver.Shutdown();
        uint afterShutdown = machine.Driver.Status;
        machine.Driver.Disable();
        machine.Driver.Enable();

        (afterShutdown >> 2 & 3).Should().Be(2);
        machine.Driver.Status.Should().Be(1);
    }

    [Theory]
    [InlineData(0x0046_0011u)] // a command set that it has not
    [InlineData(0x0046_0081u)] // pages of 8 KiB
    [InlineData(0x0046_0801u)] // weighted round robin
    public void Configuration_that_is_not_supported_is_fatal_until_it_is_disabled(uint configuration)
    {
        using Machine machine = new(enable: false);
        machine.Guest.Bar0.Write(0x24, 0x001F_001Fu);

        machine.Guest.Bar0.Write(0x14, configuration);
        machine.Driver.WaitForStatus(status => (status & 2) != 0);
        machine.Driver.IsReady.Should().BeFalse();
        machine.Guest.Bar0.Write(0x14, 0u);
        machine.Driver.WaitForStatus(status => status == 0);
        machine.Driver.Enable();

        machine.Driver.Status.Should().Be(1);
    }

    [Fact]
    public void Controller_that_failed_to_start_can_be_enabled_with_the_next_write()
    {
        using Machine machine = new(enable: false);
        machine.Guest.Bar0.Write(0x24, 0x001F_001Fu);
        machine.Guest.Bar0.Write(0x28, machine.Admin.Submissions.Value);
        machine.Guest.Bar0.Write(0x30, machine.Admin.Completions.Value);

        for (int i = 0; i < 200; i++)
        {
            machine.Guest.Bar0.Write(0x14, 0x0046_0081u);
            machine.Driver.WaitForStatus(status => (status & 2) != 0);
            machine.Guest.Bar0.Post(0x14, 0u); // it is not ready: there is nothing to wait for
            machine.Guest.Bar0.Post(0x14, NvmeDriver.EnabledConfiguration);
            machine.Driver.WaitForStatus(status => status == 1);
            machine.Driver.Disable();
        }
    }

    [Fact]
    public void Admin_queue_without_memory_is_fatal_and_a_reset_helps()
    {
        using Machine machine = new(enable: false);
        machine.Guest.Bar0.Write(0x24, 0x001F_001Fu);
        machine.Guest.Bar0.Write(0x28, 0xDEAD_0000ul);
        machine.Guest.Bar0.Write(0x30, 0xDEAD_0000ul);
        machine.Guest.Bar0.Write(0x14, NvmeDriver.EnabledConfiguration);
        machine.Driver.WaitForStatus(status => (status & 1) != 0);

        machine.Guest.Bar0.Write(0x1000, 1u);
        machine.Driver.WaitForStatus(status => (status & 2) != 0);
        machine.Driver.Disable();
        machine.Driver.Enable();

        machine.Driver.Status.Should().Be(1);
        machine.Log.Should().ContainSingle().Which.Should().Contain("0xdead0000");
    }

    [Fact]
    public void Device_reset_disables_the_controller_at_once()
    {
        using Machine machine = new();
        machine.Driver.CreateQueue(1);

        machine.Guest.Reset();

        machine.Driver.Status.Should().Be(0);
        machine.Guest.Bar0.Read<uint>(0x14).Should().Be(0);
    }

    [Fact]
    public void Next_guest_finds_a_disabled_controller_and_the_same_disk()
    {
        using Machine machine = new();
        byte[] data = Machine.Pattern(512);
        DriverQueue queue = machine.Driver.CreateQueue(1);
        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Write, 7, 1, machine.Guest.Place(data))));
        machine.Guest.Dispose();

        using TestGuest next = TestGuest.Attach(machine.Controller);
        using NvmeDriver driver = new(next);
        uint status = driver.Status;
        driver.Enable();
        VfioUser.Iova page = next.Memory.Allocate(512);
        NvmeDriver.Expect(driver.CreateQueue(1).Execute(NewCommand.Io(IoOpcode.Read, 7, 1, page)));

        status.Should().Be(0);
        next.Memory.ReadBytes(page, 512).Should().Equal(data);
    }

    [Fact]
    public void Controller_gets_to_where_it_was_told_last()
    {
        using Machine machine = new();
        Random random = new(1);

        // told in the very moment, now and then, in which the thread that does it goes to sleep
        for (int i = 0; i < 3000; i++)
        {
            for (int told = random.Next(6); told > 0; told--)
            {
                machine.Guest.Bar0.Post(0x14, 0u);
                Thread.SpinWait(random.Next(100));
                machine.Guest.Bar0.Post(0x14, NvmeDriver.EnabledConfiguration);
                Thread.SpinWait(random.Next(100));
            }
            machine.Driver.Disable();
            machine.Driver.Enable();
        }

        machine.Driver.HasFailed.Should().BeFalse();
    }
}
