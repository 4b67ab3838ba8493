using FluentAssertions;
using Xunit;
using static VfioUser.Tests.GuestConfigAccess;

namespace VfioUser.Tests;

public class ConfigHeaderTests
{
    [Fact]
    public void A_new_header_has_identity_and_class_and_nothing_else()
    {
        var config = new ConfigSpace(
            new PciId(Vendor: 0x494F, Device: 0x0DC8, SubsystemVendor: 0x1AF4, Subsystem: 0x1100, Revision: 0x02),
            new PciClass(Base: 0x01, Sub: 0x08, ProgIf: 0x02));

        config.Size.Should().Be(256);
        config.GuestBytes(0, 64).Should().Equal(
            0x4F, 0x49, 0xC8, 0x0D, 0x00, 0x00, 0x00, 0x00, // vendor, device, command, status
            0x02, 0x02, 0x08, 0x01, 0x00, 0x00, 0x00, 0x00, // revision, class; cache line, latency, header type, BIST
            0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, // BAR 0, 1
            0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, // BAR 2, 3
            0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, // BAR 4, 5
            0x00, 0x00, 0x00, 0x00, 0xF4, 0x1A, 0x00, 0x11, // CardBus CIS, subsystem
            0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, // ROM, capabilities pointer
            0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00); // interrupt line, pin, min grant, max latency
    }

    [Fact]
    public void A_guest_that_writes_ones_everywhere_changes_only_what_is_writable()
    {
        ConfigSpace config = NewConfig();
        byte[] before = config.GuestBytes(0, 256);
        byte[] ones = new byte[256];
        ones.AsSpan().Fill(0xFF);

        config.GuestWrite(0, ones);

        byte[] expected = before;
        expected[0x04] = 0x47; // command: I/O, memory, bus master, parity
        expected[0x05] = 0x05; // SERR, INTx disable
        expected[0x0C] = 0xFF; // cache line size
        expected[0x0D] = 0xFF; // latency timer
        expected[0x3C] = 0xFF; // interrupt line
        config.GuestBytes(0, 256).Should().Equal(expected);
    }

    [Theory]
    [InlineData(0x0001, true, false, false, false)]
    [InlineData(0x0002, false, true, false, false)]
    [InlineData(0x0004, false, false, true, false)]
    [InlineData(0x0400, false, false, false, true)]
    public void Command_bits_show_as_properties(ushort command, bool io, bool memory, bool busMaster, bool intxDisabled)
    {
        ConfigSpace config = NewConfig();

        config.Guest(0x04, command);

        config.IsIoEnabled.Should().Be(io);
        config.IsMemoryEnabled.Should().Be(memory);
        config.IsBusMasterEnabled.Should().Be(busMaster);
        config.IsIntxDisabled.Should().Be(intxDisabled);
    }

    [Fact]
    public void The_upper_byte_of_the_command_register_can_be_written_alone()
    {
        ConfigSpace config = NewConfig();
        config.Guest<ushort>(0x04, 0x0006);

        config.Guest<byte>(0x05, 0x04);

        config.Guest<ushort>(0x04).Should().Be(0x0406);
    }

    [Fact]
    public void Writing_command_and_status_in_one_dword_does_both()
    {
        ConfigSpace config = NewConfig();
        config.Write<ushort>(0x06, 0xF900);

        config.Guest(0x04, 0x8000_0006u);

        config.Guest<uint>(0x04).Should().Be(0x7900_0006u);
    }

    [Theory]
    [InlineData(0x0000, 0xF900)]
    [InlineData(0x4000, 0xB900)]
    [InlineData(0x0100, 0xF800)]
    [InlineData(0xFFFF, 0x0000)]
    public void Writing_ones_to_status_clears_error_bits(ushort written, ushort left)
    {
        ConfigSpace config = NewConfig();
        config.Write<ushort>(0x06, 0xF900);

        config.Guest(0x06, written);

        config.Guest<ushort>(0x06).Should().Be(left);
    }

    [Fact]
    public void Interrupt_status_shows_the_level_and_a_guest_cannot_clear_it()
    {
        ConfigSpace config = NewConfig();
        config.AddPowerManagement();

        config.SetInterruptStatus(asserted: true);
        config.Guest<ushort>(0x06, 0xFFFF);
        ushort high = config.Guest<ushort>(0x06);
        config.SetInterruptStatus(asserted: false);

        high.Should().Be(0x0018);
        config.Guest<ushort>(0x06).Should().Be(0x0010);
    }

    [Fact]
    public void The_interrupt_pin_is_read_only_for_the_guest()
    {
        ConfigSpace config = NewConfig();
        config.SetInterruptPin(1);

        config.Guest<ushort>(0x3C, 0xFF0B);

        config.Guest<ushort>(0x3C).Should().Be(0x010B);
    }

    [Fact]
    public void A_write_to_the_command_register_is_announced_once_however_wide()
    {
        ConfigSpace config = NewConfig();
        int calls = 0;
        config.CommandWritten = () => calls++;

        config.Guest<byte>(0x05, 0x04);
        config.Guest(0x04, 0x0000_0006u);
        config.Guest<ushort>(0x06, 0xFFFF);

        calls.Should().Be(2);
    }

    [Fact]
    public void Beyond_the_end_a_guest_reads_ones_and_its_writes_are_dropped()
    {
        ConfigSpace config = NewConfig();
        config.AddField<byte>(0xFF, 0x11, writeMask: 0xFF);

        config.Guest(0xFF, 0x5555_5522u);
        config.Guest(0x100, 0x3333_3333u);
        config.Guest(-1, 0x3333_3333u);

        config.Guest<uint>(0xFF).Should().Be(0xFFFF_FF22u);
        config.Guest<uint>(0x100).Should().Be(0xFFFF_FFFFu);
        config.Guest<uint>(-1).Should().Be(0xFFFF_FFFFu);
        config.Guest<ushort>(0x00).Should().Be(Id.Vendor);
    }

    [Fact]
    public void Reads_and_writes_allocate_nothing()
    {
        ConfigSpace config = NewConfig();
        config.SetBar(0, BarKind.Memory32, 0x1000);
        config.AddMsi(vectors: 4, perVectorMask: true);
        config.AddPciExpress();
        config.AddVendorSpecific([1, 2, 3, 4], VendorCapabilityAccess.Writable).AddWriteHandler((_, _) => { });
        config.Seal();
        byte[] buffer = new byte[256];
        config.GuestRead(0, buffer);
        config.GuestWrite(0, buffer);

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
        {
            config.GuestRead(0, buffer);
            config.GuestWrite(0, buffer);
        }

        (GC.GetAllocatedBytesForCurrentThread() - before).Should().Be(0);
    }
}
