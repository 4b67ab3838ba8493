using VfioUser.Testing;

namespace VfioUser.Tests;

public class RegisterTests
{
    [Fact]
    public void Registers_of_each_width_hold_what_the_guest_writes()
    {
        (Register<byte> one, Register<ushort> two, Register<uint> four, Register<ulong> eight) = (null!, null!, null!, null!);
        using var guest = Attach(bar =>
        {
            eight = bar.AddRegister<ulong>(0x00);
            four = bar.AddRegister<uint>(0x08);
            two = bar.AddRegister<ushort>(0x0C);
            one = bar.AddRegister<byte>(0x0E);
        });

        guest.Bar0.Write(0x00, 0x8877_6655_4433_2211ul);
        guest.Bar0.Write(0x08, 0xCCBB_AA99u);
        guest.Bar0.Write<ushort>(0x0C, 0xEEDD);
        guest.Bar0.Write<byte>(0x0E, 0xFF);

        eight.Value.Should().Be(0x8877_6655_4433_2211);
        four.Value.Should().Be(0xCCBB_AA99);
        two.Value.Should().Be(0xEEDD);
        one.Value.Should().Be(0xFF);
        byte[] all = new byte[16];
        guest.Bar0.Read(0, all);
        all.Should().Equal(0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xFF, 0);
    }

    [Fact]
    public void The_guest_reads_what_the_device_sets()
    {
        Register<uint> register = null!;
        using var guest = Attach(bar => register = bar.AddRegister<uint>(0, RegisterAccess.ReadOnly));

        register.Value = 0x1234_5678;

        guest.Bar0.Read<uint>(0).Should().Be(0x1234_5678);
        guest.Bar0.Read<ushort>(2).Should().Be(0x1234);
        guest.Bar0.Read<byte>(1).Should().Be(0x56);
    }

    [Fact]
    public void Writing_part_of_a_register_leaves_the_rest_alone()
    {
        Register<ulong> register = null!;
        List<ulong> written = [];
        using var guest = Attach(bar => register = bar.AddRegister<ulong>(8,
            new RegisterOptions<ulong> { ResetValue = 0x8877_6655_4433_2211, OnWrite = write => written.Add(write.New) }));

        guest.Bar0.Write<byte>(9, 0xAA);
        guest.Bar0.Write(12, 0xDDCC_BBAAu);

        written.Should().Equal(0x8877_6655_4433_AA11, 0xDDCC_BBAA_4433_AA11);
        register.Value.Should().Be(0xDDCC_BBAA_4433_AA11);
    }

    [Fact]
    public void One_access_can_straddle_registers_and_gaps()
    {
        Register<uint> low = null!;
        Register<uint> high = null!;
        using var guest = Attach(bar =>
        {
            low = bar.AddRegister<uint>(0);
            high = bar.AddRegister<uint>(8);
        });

        guest.Bar0.Write(2, 0x8877_6655_4433_2211ul);

        low.Value.Should().Be(0x2211_0000);
        high.Value.Should().Be(0x0000_8877);
        byte[] all = new byte[12];
        guest.Bar0.Read(0, all);
        all.Should().Equal(0, 0, 0x11, 0x22, 0, 0, 0, 0, 0x77, 0x88, 0, 0);
    }

    [Fact]
    public void A_read_only_register_drops_writes_and_its_handler_is_called()
    {
        Register<uint> register = null!;
        List<(uint, uint)> writes = [];
        using var guest = Attach(bar => register = bar.AddRegister<uint>(0,
            new RegisterOptions<uint> { Access = RegisterAccess.ReadOnly, ResetValue = 7, OnWrite = write => writes.Add((write.New, write.Written)) }));

        guest.Bar0.Write(0, uint.MaxValue);

        register.Value.Should().Be(7);
        writes.Should().Equal((7u, uint.MaxValue));
    }

    [Fact]
    public void A_write_only_register_reads_as_zero_and_hands_on_what_was_written()
    {
        Register<uint> register = null!;
        List<uint> written = [];
        using var guest = Attach(bar => register = bar.AddRegister<uint>(0,
            new RegisterOptions<uint> { Access = RegisterAccess.WriteOnly, OnWrite = write => written.Add(write.New), WriteMask = 0x00FF_FFFF }));

        guest.Bar0.Write(0, 0xAABB_CCDDu);
        guest.Bar0.Write<byte>(1, 0x99);

        written.Should().Equal(0x00BB_CCDDu, 0x0000_9900u);
        guest.Bar0.Read<uint>(0).Should().Be(0);
    }

    [Fact]
    public void Writing_ones_clears_bits_and_the_handler_gets_them()
    {
        Register<ushort> events = null!;
        List<ushort> acknowledged = [];
        using var guest = Attach(bar => events = bar.AddRegister<ushort>(0,
            new RegisterOptions<ushort> { Access = RegisterAccess.WriteOneToClear, WriteMask = 0x0FFF, OnWrite = write => acknowledged.Add((ushort)(write.Old & ~write.New)) }));
        events.Value = 0xF0F3;

        guest.Bar0.Write<ushort>(0, 0x8011);
        guest.Bar0.Write<byte>(0, 0x02);

        events.Value.Should().Be(0xF0E0);
        acknowledged.Should().Equal(0x0011, 0x0002);
        guest.Bar0.Read<ushort>(0).Should().Be(0xF0E0);
    }

    [Fact]
    public void Bits_outside_the_mask_cannot_be_written()
    {
        Register<uint> register = null!;
        using var guest = Attach(bar => register = bar.AddRegister<uint>(0,
            new RegisterOptions<uint> { WriteMask = 0x0000_FFF0, ResetValue = 0xA000_000A }));

        guest.Bar0.Write(0, 0x1234_5678u);
        register.Value.Should().Be(0xA000_567A);
        register.Value = 0x5000_0005;

        guest.Bar0.Read<uint>(0).Should().Be(0x5000_0005, "the device may set any bit");
    }

    [Fact]
    public void The_result_of_a_read_handler_is_not_stored()
    {
        Register<uint> counter = null!;
        uint reads = 0;
        using var guest = Attach(bar => counter = bar.AddRegister<uint>(0,
            new RegisterOptions<uint> { Access = RegisterAccess.ReadOnly, OnRead = _ => ++reads * 0x100 }));

        guest.Bar0.Read<uint>(0).Should().Be(0x100);
        guest.Bar0.Read<byte>(1).Should().Be(2);

        counter.Value.Should().Be(0);
    }

    [Fact]
    public void A_reset_restores_the_reset_values()
    {
        Register<uint> register = null!;
        Register<uint> plain = null!;
        using var guest = Attach(bar =>
        {
            register = bar.AddRegister<uint>(0, new RegisterOptions<uint> { ResetValue = 0xCAFE });
            plain = bar.AddRegister<uint>(4);
        });
        register.Value.Should().Be(0xCAFE, "that is its value at start");
        uint seen = 0;
        ((BlankDevice)guest.Device).WhenReset = reason =>
        {
            reason.Should().Be(ResetReason.ClientRequested);
            seen = register.Value;
        };
        guest.Bar0.Write(0, 1u);
        guest.Bar0.Write(4, 1u);

        guest.Reset();

        seen.Should().Be(0xCAFE, "the device hears of it afterwards");
        plain.Value.Should().Be(0);
    }

    [Fact]
    public void Doorbells_ring_for_every_write()
    {
        int rung = 0;
        List<ushort> values = [];
        using var guest = Attach(bar =>
        {
            bar.AddDoorbell(0, () => rung++);
            bar.AddDoorbell<ushort>(4, values.Add);
        });

        guest.Bar0.Write(0, 0u);
        guest.Bar0.Write(0, uint.MaxValue);
        guest.Bar0.Write<ushort>(4, 0x1234);
        guest.Bar0.Post<ushort>(4, 0x5678);

        guest.Bar0.Read<ulong>(0).Should().Be(0);
        rung.Should().Be(2);
        values.Should().Equal(0x1234, 0x5678);
    }

    [Fact]
    public void Bits_are_set_and_cleared_without_touching_the_others()
    {
        Register<byte> register = null!;
        using var guest = Attach(bar => register = bar.AddRegister<byte>(0));
        register.Value = 0b0101;

        register.SetBits(0b0010);
        register.ClearBits(0b0100);

        register.Value.Should().Be(0b0011);
        guest.Bar0.Read<byte>(0).Should().Be(0b0011);
    }

    [Fact]
    public async Task No_bit_is_lost_between_device_and_guest()
    {
        Register<uint> events = null!;
        using var guest = Attach(bar => events = bar.AddRegister<uint>(0,
            new RegisterOptions<uint> { WriteMask = 0x0000_FFFF }));

        // the device toggles its half, the guest its own; each must find its half as it left it
        Task device = Background.Run(() =>
        {
            for (int i = 0; i < 3000; i++)
            {
                events.SetBits(0xFFFF_0000);
                (events.Value >> 16).Should().Be(0xFFFF);
                events.ClearBits(0xFFFF_0000);
                (events.Value >> 16).Should().Be(0);
            }
        });
        for (ushort i = 0; i < 1000; i++)
        {
            guest.Bar0.Write(0, (uint)i);
            guest.Bar0.Read<ushort>(0).Should().Be(i);
        }

        await device.WaitAsync(Background.Timeout);
    }

    [Fact]
    public async Task Every_event_that_a_device_sets_is_seen_by_the_guest_that_clears_it()
    {
        Register<uint> events = null!;
        using var guest = Attach(bar => events = bar.AddRegister<uint>(0, RegisterAccess.WriteOneToClear));
        const int Each = 500;

        Task device = Background.Run(() =>
        {
            for (int i = 0; i < Each; i++)
            {
                uint bit = 1u << (i % 32);
                SpinWait.SpinUntil(() => (events.Value & bit) == 0, Background.Timeout);
                events.SetBits(bit);
            }
        });
        int seen = 0;
        long start = System.Diagnostics.Stopwatch.GetTimestamp();
        while (seen < Each && System.Diagnostics.Stopwatch.GetElapsedTime(start) < Background.Timeout)
        {
            uint now = guest.Bar0.Read<uint>(0);
            guest.Bar0.Write(0, now);
            seen += System.Numerics.BitOperations.PopCount(now);
        }

        await device.WaitAsync(Background.Timeout);
        seen.Should().Be(Each);
    }

    private static TestGuest Attach(Action<Bar> declare) =>
        TestGuest.Attach(new BlankDevice(device => declare(device.AddBar(0, BarKind.Memory32, 0x1000))));
}
