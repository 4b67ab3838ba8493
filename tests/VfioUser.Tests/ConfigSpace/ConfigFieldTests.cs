using FluentAssertions;
using Xunit;
using static VfioUser.Tests.GuestConfigAccess;

namespace VfioUser.Tests;

public class ConfigFieldTests
{
    private readonly ConfigSpace _config = NewConfig();

    [Fact]
    public void A_field_has_bits_to_write_bits_to_clear_and_bits_to_read()
    {
        _config.AddField(0x41, 0xFFFF_0000u, writeMask: 0x0000_00FFu, clearMask: 0xFF00_0000u);

        _config.Guest(0x41, 0x0F00_1234u);

        _config.Guest<uint>(0x41).Should().Be(0xF0FF_0034u);
    }

    [Fact]
    public void Undeclared_bytes_read_zero_and_drop_writes()
    {
        _config.Guest(0x80, 0xFFFF_FFFFu);

        _config.Guest<uint>(0x80).Should().Be(0);
    }

    [Fact]
    public void The_author_writes_what_a_guest_cannot()
    {
        _config.AddField(0x60, 0x1111_1111u);

        _config.Write(0x60, 0x2222_2222u);
        _config.Write(0x3E, (byte)0x08); // minimum grant, in the header
        _config.Write(0x62, [0x33, 0x44]);

        _config.Guest<uint>(0x60).Should().Be(0x4433_2222u);
        _config.Guest<byte>(0x3E).Should().Be(0x08);
        _config.Read<ushort>(0x62).Should().Be(0x4433);
    }

    [Fact]
    public void Write_handlers_run_in_order_of_address_after_all_bytes_are_stored()
    {
        _config.AddField(0x60, 0ul, writeMask: ulong.MaxValue);
        List<(string, int, byte[], ulong)> calls = [];
        void Log(string name, int offset, ReadOnlySpan<byte> written) =>
            calls.Add((name, offset, written.ToArray(), _config.Read<ulong>(0x60)));
        _config.AddWriteHandler(0x64, 2, (offset, written) => Log("c", offset, written));
        _config.AddWriteHandler(0x61, 1, (offset, written) => Log("a", offset, written));
        _config.AddWriteHandler(0x62, 4, (offset, written) => Log("b", offset, written));
        _config.AddWriteHandler(0x64, 2, (offset, written) => Log("d", offset, written));

        _config.GuestWrite(0x61, [0x11, 0x22, 0x33, 0x44]);
        _config.GuestWrite(0x66, [0x55]);

        calls.Should().BeEquivalentTo(
            [
                ("a", 0x61, new byte[] { 0x11 }, 0x44_3322_1100ul),
                ("b", 0x62, new byte[] { 0x22, 0x33, 0x44 }, 0x44_3322_1100ul),
                ("c", 0x64, new byte[] { 0x44 }, 0x44_3322_1100ul),
                ("d", 0x64, new byte[] { 0x44 }, 0x44_3322_1100ul),
            ],
            options => options.WithStrictOrdering());
    }

    [Fact]
    public void A_write_handler_sees_what_the_masks_drop()
    {
        byte[]? seen = null;
        _config.AddWriteHandler(0x00, 4, (_, written) => seen = written.ToArray());

        _config.Guest(0x00, 0xDEAD_BEEFu);

        seen.Should().Equal(0xEF, 0xBE, 0xAD, 0xDE);
        _config.Guest<uint>(0x00).Should().Be(0x00F1_1B36u);
    }

    [Fact]
    public void A_read_handler_gets_the_part_within_its_range_and_changes_only_the_answer()
    {
        _config.AddField(0x60, 0x4433_2211u);
        _config.AddReadHandler(0x61, 2, (offset, value) => value[0] = (byte)(offset + value.Length));

        _config.GuestBytes(0x60, 4).Should().Equal(0x11, 0x63, 0x33, 0x44);
        _config.GuestBytes(0x62, 1).Should().Equal(0x63);
        _config.Read<uint>(0x60).Should().Be(0x4433_2211u);
    }

    [Fact]
    public void A_read_handler_beyond_the_end_of_a_read_is_left_alone()
    {
        int calls = 0;
        _config.AddReadHandler(0x64, 4, (_, _) => calls++);

        _config.Guest<uint>(0x60);
        _config.Guest<uint>(0x68);

        calls.Should().Be(0);
    }

    [Fact]
    public void A_byte_that_device_and_guest_change_at_once_loses_nothing()
    {
        // The guest writes bit 0 and the device flips bit 7, in the same byte, all the time.
        PowerManagementCapability power = _config.AddPowerManagement(new PowerManagementOptions { Pme = PmeStates.D0 });
        _config.Seal();
        bool lost = false, done = false;
        Task device = Background.Run(() =>
        {
            for (bool on = true; !Volatile.Read(ref done); on = !on)
            {
                power.PmeStatus = on;
                if (power.PmeStatus != on)
                    Volatile.Write(ref lost, true);
            }
        });

        for (int i = 0; i < 500_000; i++)
        {
            _config.Guest<byte>(0x45, (byte)(i & 1)); // never clears
            if (power.IsPmeEnabled != ((i & 1) == 1))
                Volatile.Write(ref lost, true);
        }

        Volatile.Write(ref done, true);
        device.MustEnd("the device looks at it all the time");

        lost.Should().BeFalse();
    }

    [Theory]
    [InlineData(0x3E, "*overlaps the header*")]
    [InlineData(0x46, "*overlaps the power management capability*")]
    [InlineData(0x5E, "*overlaps the field at 0x60*")]
    [InlineData(0xFE, "*do not lie within the 256 bytes*Call Extend first*")]
    [InlineData(0x200, "*do not lie within the 256 bytes*Call Extend first*")]
    [InlineData(-1, "*do not lie within*")]
    public void A_place_that_cannot_be_is_refused_with_a_reason(int offset, string message)
    {
        _config.AddPowerManagement();
        _config.AddField(0x60, 0u);

        Action add = () => _config.AddField(offset, 0u);

        add.Should().Throw<ArgumentException>().WithMessage(message);
    }

    [Theory]
    [InlineData(0xFE)]
    [InlineData(0x100)]
    [InlineData(0x103)]
    public void The_head_of_the_extended_list_is_no_place_for_a_field(int offset)
    {
        _config.Extend();

        Action add = () => _config.AddField(offset, 0u);

        add.Should().Throw<ArgumentException>().WithMessage("*0x100 to 0x103*");
    }

    [Fact]
    public void Beyond_the_extended_space_nothing_fits()
    {
        _config.Extend();
        _config.AddField<byte>(0xFFF, 1);

        Action add = () => _config.AddField(0xFFE, 0u);
        Action read = () => _config.Read<uint>(0xFFD);
        Action write = () => _config.Write(0x1000, (byte)1);

        add.Should().Throw<ArgumentException>().WithMessage("*Use a smaller offset*");
        read.Should().Throw<ArgumentOutOfRangeException>();
        write.Should().Throw<ArgumentOutOfRangeException>();
    }

    [Fact]
    public void Fields_and_hooks_have_a_length()
    {
        Action field = () => _config.AddField(0x40, []);
        Action hook = () => _config.AddWriteHandler(0x40, 0, (_, _) => { });
        Action outside = () => _config.AddReadHandler(0xFF, 2, (_, _) => { });
        Action none = () => _config.AddReadHandler(0x40, 2, null!);

        field.Should().Throw<ArgumentException>();
        hook.Should().Throw<ArgumentException>();
        outside.Should().Throw<ArgumentException>();
        none.Should().Throw<ArgumentNullException>();
    }
}
