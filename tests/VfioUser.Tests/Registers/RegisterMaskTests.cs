using VfioUser.Testing;

namespace VfioUser.Tests;

/// <summary>Each bit of a register has an access of its own.</summary>
public class RegisterMaskTests
{
    // as an xHCI port: speed is only read, power is written, changes are acknowledged, a reset is asked for, wake bits are sticky
    private const uint Connected = 1 << 0;
    private const uint Enabled = 1 << 1;
    private const uint Power = 1 << 9;
    private const uint ConnectChange = 1 << 17;
    private const uint ResetChange = 1 << 21;
    private const uint WakeOnConnect = 1 << 25;
    private const uint PortReset = 1u << 4;

    [Fact]
    public void One_write_affects_each_bit_as_its_mask_declares()
    {
        Register<uint> port = null!;
        using TestGuest guest = Attach(bar => port = bar.AddRegister<uint>(0, Port()));
        port.Value = Connected | Enabled | ConnectChange | ResetChange;

        guest.Bar0.Write(0, Power | ConnectChange | WakeOnConnect | Connected);

        port.Value.Should().Be(Connected | Enabled | ResetChange | Power | WakeOnConnect);
    }

    [Fact]
    public void A_handler_sees_what_was_and_what_is_and_which_edges_there_were()
    {
        List<(uint Old, uint New, uint Written, uint Lanes)> writes = [];
        List<bool> edges = [];
        using TestGuest guest = Attach(bar => bar.AddRegister<uint>(0, new()
        {
            ResetValue = 0x0000_0100,
            OnWrite = write =>
            {
                writes.Add((write.Old, write.New, write.Written, write.Lanes));
                edges.AddRange([write.Sets(1), write.Clears(0x100), write.Changes(0x10), write.Has(0x8000)]);
            },
        }));

        guest.Bar0.Write(0, 0x0000_8001u);
        guest.Bar0.Write<byte>(1, 0x80);

        writes.Should().Equal((0x100u, 0x8001u, 0x8001u, 0xFFFF_FFFFu), (0x8001u, 0x8001u, 0x8000u, 0xFF00u));
        edges.Should().Equal([true, true, false, true, false, false, false, true]);
    }

    [Fact]
    public void Self_clearing_bits_reach_the_handler_and_read_as_zero()
    {
        int resets = 0;
        Register<uint> port = null!;
        using TestGuest guest = Attach(bar => port = bar.AddRegister<uint>(0, Port() with
        {
            OnWrite = write => resets += write.Sets(PortReset) ? 1 : 0,
        }));

        guest.Bar0.Write(0, PortReset | Power);
        guest.Bar0.Read<uint>(0).Should().Be(Power);
        guest.Bar0.Write(0, PortReset | Power);

        resets.Should().Be(2, "each one that is written asks for a reset");
        port.Value.Should().Be(Power);
    }

    [Fact]
    public void Ones_set_bits_that_a_guest_cannot_clear()
    {
        Register<byte> register = null!;
        using TestGuest guest = Attach(bar => register = bar.AddRegister<byte>(0, RegisterAccess.WriteOneToSet));

        guest.Bar0.Write<byte>(0, 0b0101);
        guest.Bar0.Write<byte>(0, 0b0010);

        register.Value.Should().Be(0b0111);
    }

    [Fact]
    public void A_read_clears_the_bytes_that_it_reads_and_no_others()
    {
        Register<uint> cause = null!;
        using TestGuest guest = Attach(bar => cause = bar.AddRegister<uint>(0, new() { ReadToClear = 0x00FF_FFFF }));
        cause.Value = 0xAABB_CCDD;

        guest.Bar0.Read<byte>(1).Should().Be(0xCC);
        cause.Value.Should().Be(0xAABB_00DD);
        guest.Bar0.Read<uint>(0).Should().Be(0xAABB_00DD);

        cause.Value.Should().Be(0xAA00_0000);
    }

    [Fact]
    public void A_cause_can_be_cleared_by_reading_it_and_by_writing_ones()
    {
        Register<uint> cause = null!;
        using TestGuest guest = Attach(bar => cause = bar.AddRegister<uint>(0, new()
        {
            ReadToClear = uint.MaxValue,
            WriteOneToClear = uint.MaxValue,
        }));
        cause.Value = 0b111;

        guest.Bar0.Write(0, 0b010u);

        guest.Bar0.Read<uint>(0).Should().Be(0b101);
        guest.Bar0.Read<uint>(0).Should().Be(0);
    }

    [Fact]
    public async Task No_event_is_lost_between_a_device_that_sets_and_a_guest_that_reads_to_clear()
    {
        const int Each = 2000;
        Register<uint> cause = null!;
        using TestGuest guest = Attach(bar => cause = bar.AddRegister<uint>(0, RegisterAccess.ReadToClear));
        Task device = Background.Run(() =>
        {
            for (int i = 0; i < Each; i++)
            {
                SpinWait.SpinUntil(() => cause.Value == 0, Background.Timeout);
                cause.SetBits(1u << (i % 32));
            }
        });

        int seen = 0;
        long start = System.Diagnostics.Stopwatch.GetTimestamp();
        while (seen < Each && System.Diagnostics.Stopwatch.GetElapsedTime(start) < Background.Timeout)
            seen += System.Numerics.BitOperations.PopCount(guest.Bar0.Read<uint>(0));

        await device.WaitAsync(Background.Timeout);
        seen.Should().Be(Each);
    }

    [Fact]
    public void A_function_level_reset_leaves_sticky_bits_and_a_device_reset_does_not()
    {
        Register<uint> port = null!;
        BlankDevice device = new(device =>
        {
            port = device.AddBar(0, BarKind.Memory32, 0x1000).AddRegister<uint>(0, Port());
            device.Config.AddPciExpress();
        });
        using TestGuest guest = TestGuest.Attach(device);
        guest.Bar0.Write(0, Power | WakeOnConnect);

        int control = device.Config.PciExpress!.Offset + 8;
        guest.Config.Write(control, (ushort)(guest.Config.Read<ushort>(control) | 0x8000));
        port.Value.Should().Be(WakeOnConnect);

        guest.Reset();
        port.Value.Should().Be(0);
    }

    [Fact]
    public void A_field_is_replaced_in_one_step()
    {
        Register<uint> status = null!;
        using TestGuest guest = Attach(bar => status = bar.AddRegister<uint>(0, RegisterAccess.ReadOnly));
        status.Value = 0x8000_0005;

        status.Update(mask: 0x0C, value: 0xFFFF_FFF8).Should().Be(0x8000_0005);

        status.Value.Should().Be(0x8000_0009);
        status.Exchange(7).Should().Be(0x8000_0009);
        guest.Bar0.Read<uint>(0).Should().Be(7);
    }

    [Theory]
    [InlineData(0xFFFE, 1, 0xFFFF, 0xFFFF)]
    [InlineData(0xFFFE, 2, 0x0000, 0xFFFF)]
    [InlineData(0xFFFF, 0xFFFF, 0xFFFE, 0xFFFF)]
    public void A_counter_begins_again_or_stays_at_its_largest_value(ushort start, ushort value, ushort wrapped, ushort saturated)
    {
        Register<ushort> counter = null!;
        using TestGuest guest = Attach(bar => counter = bar.AddRegister<ushort>(0, RegisterAccess.ReadOnly));

        counter.Value = start;
        counter.Add(value).Should().Be(start);
        counter.Value.Should().Be(wrapped);

        counter.Value = start;
        counter.AddSaturating(value).Should().Be(start);
        counter.Value.Should().Be(saturated);
    }

    [Fact]
    public void A_counter_of_64_bits_has_an_end_too()
    {
        Register<ulong> counter = null!;
        using TestGuest guest = Attach(bar => counter = bar.AddRegister<ulong>(0, RegisterAccess.ReadOnly));
        counter.Value = ulong.MaxValue - 1;

        counter.AddSaturating(5);
        counter.Value.Should().Be(ulong.MaxValue);
        counter.Add(2);
        counter.Value.Should().Be(1);
    }

    [Fact]
    public async Task Counters_of_many_threads_lose_nothing_to_a_guest_that_reads_to_clear()
    {
        const int Each = 20_000;
        Register<uint> counter = null!;
        using TestGuest guest = Attach(bar => counter = bar.AddRegister<uint>(0, RegisterAccess.ReadToClear));

        Task[] threads = [.. Enumerable.Range(0, 3).Select(_ => Background.Run(() =>
        {
            for (int i = 0; i < Each; i++)
                counter.Add(1);
        }))];
        long seen = 0;
        while (!Task.WhenAll(threads).IsCompleted)
            seen += guest.Bar0.Read<uint>(0);
        await Task.WhenAll(threads).WaitAsync(Background.Timeout);

        (seen + guest.Bar0.Read<uint>(0)).Should().Be(3 * Each);
    }

    [Fact]
    public void A_partial_write_is_merged_with_what_is_stored_and_not_with_what_a_handler_shows()
    {
        Register<uint> mask = null!;
        using TestGuest guest = Attach(bar => mask = bar.AddRegister<uint>(0, new() { OnRead = _ => 0xFF00 }));

        guest.Bar0.Read<uint>(0).Should().Be(0xFF00);
        guest.Bar0.Write<byte>(0, 0x01);

        mask.Value.Should().Be(0x01);
    }

    [Fact]
    public void Masks_that_contradict_each_other_are_refused_where_they_are_given()
    {
        Action declare = () => _ = new BlankDevice(device => device.AddBar(0, BarKind.Memory32, 0x1000)
            .AddRegister<uint>(0, new() { Name = "ICR", WriteOneToClear = 0b11, WriteOneToSet = 0b10 }));

        declare.Should().Throw<ArgumentException>().WithMessage("*0x2 of ICR*");
    }

    [Theory]
    [InlineData(typeof(int))]
    [InlineData(typeof(float))]
    [InlineData(typeof(bool))]
    [InlineData(typeof(char))]
    public void Types_without_a_plain_width_are_no_registers(Type type)
    {
        BlankDevice device = new(_ => { });
        Bar bar = device.AddBar(0, BarKind.Memory32, 0x1000);
        System.Reflection.MethodInfo add = typeof(RegisterBlock).GetMethods()
            .Single(method => method.Name is "AddRegister" && method.GetParameters()[1].ParameterType == typeof(RegisterAccess));

        Action declare = () => add.MakeGenericMethod(type).Invoke(bar, [0L, RegisterAccess.ReadWrite]);

        declare.Should().Throw<System.Reflection.TargetInvocationException>().WithInnerException<ArgumentException>().WithMessage($"*{type.Name}*");
    }

    private static RegisterOptions<uint> Port() => new()
    {
        Name = "PORTSC",
        WriteMask = Power | WakeOnConnect,
        WriteOneToClear = ConnectChange | ResetChange,
        SelfClearing = PortReset,
        Sticky = WakeOnConnect,
    };

    private static TestGuest Attach(Action<Bar> declare) =>
        TestGuest.Attach(new BlankDevice(device => declare(device.AddBar(0, BarKind.Memory32, 0x1000))));
}
