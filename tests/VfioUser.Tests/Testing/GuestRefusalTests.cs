using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests;

/// <summary>What a test is told of a command that the server refuses, or does not answer.</summary>
public class GuestRefusalTests
{
    private static readonly TimeSpan Soon = TimeSpan.FromMilliseconds(200);

    [Fact]
    public void An_access_beyond_the_region_has_the_reason_and_the_servers_last_lines()
    {
        using TestGuest guest = TestGuest.Attach(new Card());

        foreach (long offset in new[] { 0x1000, 0x2000 }) // the log has the reason of the first of its kind at Information, and of others not
        {
            VfioUserException refused = guest.Bar0.Invoking(bar => bar.Read<uint>(offset)).Should().Throw<VfioUserException>().Which;

            refused.Errno.Should().Be(Errno.EINVAL);
            refused.Reason.Should().Be($"4 bytes at 0x{offset:x} do not lie in region 0");
            refused.Message.Should().StartWith($"RegionRead failed with EINVAL: {refused.Reason}.").And.Contain("The server's log ends with:");
        }
    }

    [Fact]
    public void A_bar_that_is_not_there_is_named()
    {
        using TestGuest guest = TestGuest.Attach(new Card());

        guest.Bar3.Invoking(bar => bar.Write(0, 1u)).Should().Throw<VfioUserException>().Which.Reason.Should().Contain("region 3");
    }

    [Fact]
    public void A_device_that_does_not_quiesce_is_named_with_the_access()
    {
        using ManualResetEventSlim go = new();
        Card card = new() { OnControl = () => go.Wait(Background.Timeout) };
        TestGuest guest = TestGuest.Attach(card, new TestGuestOptions { Timeout = Soon });

        guest.Bar0.Invoking(bar => bar.Write(0x4, 1u)).Should().Throw<VfioUserException>()
            .WithMessage("RegionWrite failed with ETIMEDOUT: no reply within 0.2 seconds to 4 bytes at 0x4 of Bar0 (CTRL); code of Card does not return*");

        go.Set();
        guest.Dispose();
    }

    [Fact]
    public void State_of_other_registers_is_refused_with_the_reason()
    {
        using TestGuest source = TestGuest.Attach(new Card());

        source.Invoking(it => it.MigrateTo(new OtherCard())).Should().Throw<VfioUserException>()
            .Which.Message.Should().Contain("MigDataWrite failed with EINVAL").And.Contain("Migration data refused: ");
    }

    [Fact]
    public void A_worker_that_does_not_end_is_named_at_once()
    {
        using ManualResetEventSlim end = new();
        Card card = new();
        card.AddWorkerThread("stubborn", (_, _) => end.Wait(Background.Timeout, CancellationToken.None));
        TestGuest guest = TestGuest.Attach(card, new TestGuestOptions { Timeout = Background.Timeout });
        long start = Environment.TickCount64;

        guest.Invoking(it => it.Dispose()).Should().Throw<TestGuestException>().WithMessage("*workers of Card have not ended*: stubborn.*");

        TimeSpan.FromMilliseconds(Environment.TickCount64 - start).Should().BeLessThan(Background.Timeout);
        end.Set();
    }

    [Fact]
    public void A_strict_test_fails_at_a_write_to_a_register_that_takes_none()
    {
        using TestGuest strict = TestGuest.Attach(new Card(), new() { Strict = true });

        strict.Registers["STATUS"].Invoking(register => register.Write(1)).Should().Throw<VfioUserException>()
            .WithInnerException<InvalidOperationException>().WithMessage("*writes STATUS, which is read-only*");
    }

    [Fact]
    public void A_write_to_a_register_that_takes_none_is_nothing_otherwise()
    {
        using TestGuest guest = TestGuest.Attach(new Card());

        guest.Registers["STATUS"].Write(1);

        guest.Device.UnmodelledAccessCount.Should().Be(0);
    }

    [Theory]
    [InlineData(null, 5)]
    [InlineData("", 5)]
    [InlineData("0.5", 0.5)]
    [InlineData("60", 60)]
    public void The_environment_has_another_timeout(string? text, double seconds) =>
        DefaultTimeout.Of(text).Should().Be(TimeSpan.FromSeconds(seconds));

    [Fact]
    public void Timeout_of_leases_and_workers_is_a_fifth_of_the_other_on_a_slow_machine_too() =>
        new TestGuestOptions().LeaseTimeout.Should().Be(DefaultTimeout.Value / 5);

    [Theory]
    [InlineData("long")]
    [InlineData("-1")]
    [InlineData("1e9")]
    public void A_timeout_that_is_no_time_is_refused(string text) =>
        FluentActions.Invoking(() => DefaultTimeout.Of(text)).Should().Throw<InvalidOperationException>().WithMessage($"VFIO_USER_TEST_TIMEOUT is '{text}'*");

    private sealed class Card : PciDevice
    {
        public Card()
            : base(new PciId(0x1B36, 0x0001), PciClass.Unclassified)
        {
            Bar bar = AddBar(0, BarKind.Memory32, 0x1000);
            bar.AddRegister<uint>(0x4, new() { Name = "CTRL", OnWrite = _ => OnControl?.Invoke() });
            bar.AddRegister<uint>(0x8, new() { Name = "STATUS", Access = RegisterAccess.ReadOnly });
            EnableMigration();
        }

        public Action? OnControl { get; set; }
    }

    private sealed class OtherCard : PciDevice
    {
        public OtherCard()
            : base(new PciId(0x1B36, 0x0001), PciClass.Unclassified)
        {
            AddBar(0, BarKind.Memory32, 0x1000).AddRegister<uint>(0x10, new() { Name = "MODE" });
            EnableMigration();
        }
    }
}
