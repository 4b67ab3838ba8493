using VfioUser.Testing;

namespace VfioUser.Tests.Interrupts;

public sealed class InterruptCoalescerTests : IDisposable
{
    private static readonly TimeSpan Microsecond = TimeSpan.FromMicroseconds(1);

    private readonly ModeratedDevice _device = new();
    private readonly TestGuest _guest;

    public InterruptCoalescerTests() => _guest = ModeratedDevice.Attach(_device);

    public void Dispose() => _guest.Dispose();

    [Fact]
    public void Without_a_delay_each_event_interrupts_at_once()
    {
        Write("MAX_DELAY", 100);

        for (int i = 0; i < 3; i++)
        {
            Write("EVENTS", 1);
            _guest.MsiX[0].Take().Should().Be(1);
        }

        _device.Coalescer.IsPending.Should().BeFalse();
    }

    [Fact]
    public void Delay_begins_again_with_each_event()
    {
        Write("DELAY", 100);

        for (int i = 0; i < 5; i++)
        {
            Write("EVENTS", 1);
            _guest.Advance(99 * Microsecond);
            _guest.MsiX.ExpectNone();
        }
        _guest.Advance(Microsecond);

        _guest.MsiX[0].Take().Should().Be(1);
        _guest.Advance(1000 * Microsecond);
        _guest.MsiX.ExpectNone();
    }

    [Theory]
    [InlineData(100)]
    [InlineData(250)] // as long as the longest: the time since the first event alone counts
    [InlineData(300)]
    public void Longest_delay_begins_with_the_first_event(ulong delay)
    {
        Write("DELAY", delay);
        Write("MAX_DELAY", 250);

        for (int i = 0; i < 5; i++)
        {
            Write("EVENTS", 1);
            _guest.Advance(49 * Microsecond);
            _guest.MsiX.ExpectNone();
        }
        _guest.Advance(5 * Microsecond);

        _guest.MsiX[0].Take().Should().Be(1);
        _guest.Advance(1000 * Microsecond);
        _guest.MsiX.ExpectNone();
    }

    [Fact]
    public void Enough_events_interrupt_and_are_counted_anew()
    {
        Write("DELAY", 100);
        Write("MAX_EVENTS", 4);

        for (int i = 0; i < 2; i++)
        {
            Write("EVENTS", 3);
            _guest.MsiX.ExpectNone();
            Write("EVENTS", 1);
            _guest.MsiX[0].Take().Should().Be(1);
        }
        Write("EVENTS", 4);

        _guest.MsiX[0].Take().Should().Be(1);
        _guest.Advance(1000 * Microsecond);
        _guest.MsiX.ExpectNone();
    }

    [Fact]
    public void Flush_interrupts_for_what_waits_and_for_nothing_else()
    {
        Write("DELAY", 100);
        Write("FLUSH", 1);
        _guest.MsiX.ExpectNone();
        Write("EVENTS", 1);

        Write("FLUSH", 1);

        _guest.MsiX[0].Take().Should().Be(1);
        _guest.Advance(1000 * Microsecond);
        _guest.MsiX.ExpectNone();
    }

    [Fact]
    public void Events_that_another_interrupt_tells_of_wait_no_longer()
    {
        Write("DELAY", 100);
        Write("TAKE", 1);
        bool before = _device.Taken;
        Write("EVENTS", 1);

        Write("TAKE", 1);

        before.Should().BeFalse();
        _device.Taken.Should().BeTrue();
        _guest.Advance(1000 * Microsecond);
        _guest.MsiX.ExpectNone();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Reset_forgets_what_waits(bool byTheDriver)
    {
        Write("DELAY", 100);
        Write("MAX_DELAY", 200);
        Write("MAX_EVENTS", 2);
        Write("EVENTS", 1);

        if (byTheDriver)
            Write("RESET", 1);
        else
            _guest.Reset();

        _device.Coalescer.IsPending.Should().BeFalse();
        _guest.Advance(1000 * Microsecond);
        _guest.MsiX.ExpectNone();
        Write("DELAY", 100);
        Write("MAX_EVENTS", 2);
        Write("EVENTS", 1);
        _guest.MsiX.ExpectNone();
    }

    [Fact]
    public void An_interrupt_comes_in_its_time_where_the_device_was_moved_to()
    {
        Write("DELAY", 100);
        Write("EVENTS", 1);
        _guest.Advance(60 * Microsecond);

        using TestGuest moved = _guest.MigrateTo(new ModeratedDevice());

        moved.Advance(39 * Microsecond);
        moved.MsiX.ExpectNone();
        moved.Advance(Microsecond);
        moved.MsiX[0].Take().Should().Be(1);
    }

    [Fact]
    public void Any_numbers_of_a_guest_are_taken()
    {
        Random random = new(7);
        uint[] odd = [0, 1, uint.MaxValue, int.MaxValue, 1u << 31];
        for (int i = 0; i < 300; i++)
        {
            foreach (string register in (string[])["DELAY", "MAX_DELAY", "MAX_EVENTS"])
                Write(register, odd[random.Next(odd.Length)]);
            Write("INTERVAL", (uint)random.Next(1000));
            Write("EVENTS", (uint)random.Next(1, int.MaxValue));
        }
        Write("RESET", 1);
        _guest.MsiX[0].Take();
        Write("DELAY", 0);
        Write("INTERVAL", 0);

        Write("EVENTS", 1);

        _guest.MsiX[0].Take().Should().Be(1);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    public void No_events_are_refused(int events)
    {
        Action add = () => _device.Coalescer.Add(events, default);

        add.Should().Throw<ArgumentOutOfRangeException>();
    }

    private void Write(string register, ulong value) => _guest.Registers[register].Write(value);
}
