using VfioUser.Testing;

namespace VfioUser.Tests.Interrupts;

public sealed class InterruptThrottleTests : IDisposable
{
    private static readonly TimeSpan Microsecond = TimeSpan.FromMicroseconds(1);

    private readonly ModeratedDevice _device = new();
    private readonly TestGuest _guest;

    public InterruptThrottleTests() => _guest = ModeratedDevice.Attach(_device);

    public void Dispose() => _guest.Dispose();

    [Fact]
    public void First_interrupt_comes_at_once_and_the_next_one_an_interval_later()
    {
        Write("INTERVAL", 256);

        Write("EVENTS", 1);
        _guest.MsiX[0].Take().Should().Be(1);
        _guest.Advance(100 * Microsecond);
        Write("EVENTS", 1);
        Write("EVENTS", 1);
        _device.IsThrottled.Should().BeTrue();
        _guest.Advance(155 * Microsecond);
        _guest.MsiX.ExpectNone();
        _guest.Advance(Microsecond);

        _guest.MsiX[0].Take().Should().Be(1);
        _device.IsThrottled.Should().BeFalse();
    }

    [Fact]
    public void An_interrupt_that_waited_begins_an_interval_too()
    {
        Write("INTERVAL", 100);
        Write("EVENTS", 1);
        Write("EVENTS", 1);
        _guest.Advance(100 * Microsecond);
        _guest.MsiX[0].Take().Should().Be(2);

        Write("EVENTS", 1);

        _guest.Advance(99 * Microsecond);
        _guest.MsiX.ExpectNone();
        _guest.Advance(Microsecond);
        _guest.MsiX[0].Take().Should().Be(1);
    }

    [Fact]
    public void Nothing_waits_when_the_interval_is_over_or_zero()
    {
        Write("INTERVAL", 100);
        Write("EVENTS", 1);
        _guest.Advance(100 * Microsecond);
        Write("EVENTS", 1);
        Write("INTERVAL", 0);
        Write("EVENTS", 1);
        Write("EVENTS", 1);

        _guest.MsiX[0].Take().Should().Be(4);
        _device.IsThrottled.Should().BeFalse();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Reset_ends_the_interval_and_forgets_what_waits(bool byTheDriver)
    {
        Write("INTERVAL", 100);
        Write("EVENTS", 1);
        Write("EVENTS", 1);
        _guest.MsiX[0].Take();

        if (byTheDriver)
            Write("RESET", 1);
        else
            _guest.Reset();

        _device.IsThrottled.Should().BeFalse();
        _guest.Advance(1000 * Microsecond);
        _guest.MsiX.ExpectNone();
    }

    [Fact]
    public void After_a_reset_the_first_interrupt_comes_at_once()
    {
        Write("INTERVAL", 100);
        Write("EVENTS", 1);
        _guest.MsiX[0].Take();

        Write("RESET", 1);
        Write("EVENTS", 1);

        _guest.MsiX[0].Take().Should().Be(1);
    }

    [Fact]
    public void An_interrupt_that_waits_comes_where_the_device_was_moved_to()
    {
        Write("INTERVAL", 100);
        Write("EVENTS", 1);
        Write("EVENTS", 1);
        _guest.Advance(60 * Microsecond);

        using TestGuest moved = _guest.MigrateTo(new ModeratedDevice());

        moved.Advance(39 * Microsecond);
        moved.MsiX.ExpectNone();
        moved.Advance(Microsecond);
        moved.MsiX[0].Take().Should().Be(1);
    }

    [Fact]
    public void A_negative_interval_is_refused()
    {
        using ModeratedDevice device = new();
        InterruptThrottle throttle = new(device, () => { });
        Action pass = () => throttle.TryPass(-Microsecond);

        pass.Should().Throw<ArgumentOutOfRangeException>();
    }

    private void Write(string register, ulong value) => _guest.Registers[register].Write(value);
}
