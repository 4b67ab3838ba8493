using Microsoft.Extensions.Logging;
using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests;

/// <summary>What a test hears of exceptions and of the log.</summary>
public class GuestLogTests
{
    private readonly BlankDevice _device = new(device =>
        device.AddBar(0, BarKind.Memory32, 0x1000).AddDoorbell(0, () => throw new FormatException("bang")));

    [Fact]
    public void An_access_that_fails_has_what_the_device_threw_inside()
    {
        using var guest = TestGuest.Attach(_device);

        guest.Bar0.Invoking(bar => bar.Write(0, 1u)).Should().Throw<Client.VfioUserException>()
            .WithMessage("RegionWrite failed with EIO: FormatException: bang").Where(e => e.Errno == Errno.EIO && e.Command == Command.RegionWrite)
            .WithInnerException<FormatException>();
    }

    [Fact]
    public void Exceptions_that_no_access_has_thrown_are_thrown_by_dispose()
    {
        TestGuest guest = TestGuest.Attach(_device);
        guest.Bar0.Post(0, 1u);
        guest.Bar0.Read<uint>(4);

        guest.Invoking(it => it.Dispose()).Should().Throw<TestGuestException>()
            .WithMessage("BlankDevice threw, and the test did not see it: FormatException in RegionWrite at 0x0 of Bar0, value 0x1: bang").WithInnerException<FormatException>();

        guest.Dispose();
        using var next = TestGuest.Attach(_device);
        next.AcceptDeviceExceptions().Should().BeEmpty("it belongs to the guest before");
    }

    [Fact]
    public void Exceptions_that_the_test_has_read_are_not_thrown_again()
    {
        using var guest = TestGuest.Attach(_device);
        guest.Bar0.Post(0, 1u);
        guest.Bar0.Read<uint>(4);

        guest.AcceptDeviceExceptions().Should().ContainSingle().Which.Exception.Should().BeOfType<FormatException>();
    }

    [Fact]
    public void A_test_may_not_want_to_know()
    {
        using var guest = TestGuest.Attach(_device, new TestGuestOptions { FailOnDeviceException = false });

        guest.Bar0.Post(0, 1u);
    }

    [Fact]
    public void A_hook_of_the_test_is_called_and_marks_exceptions_as_seen()
    {
        List<Exception> told = [];
        using (var guest = TestGuest.Attach(_device, new TestGuestOptions
        {
            Server = new VfioUserServerOptions { OnDeviceException = context => told.Add(context.Exception) },
        }))
        {
            guest.Bar0.Post(0, 1u);
        }

        told.Should().ContainSingle();
    }

    [Fact]
    public void The_servers_log_is_kept_and_given_on()
    {
        List<string> output = [];
        Serving.CapturedLog own = new();
        TestGuest guest = TestGuest.Attach(_device, new TestGuestOptions
        {
            Output = output.Add,
            FailOnDeviceException = false,
            Server = new VfioUserServerOptions { Logger = own },
        });

        guest.Bar0.Post(0, 1u);
        guest.Dispose();

        guest.Log.Should().Contain(line => line.StartsWith("Error DeviceThrew", StringComparison.Ordinal) && line.Contains("bang", StringComparison.Ordinal));
        output.Should().Equal(guest.Log);
        own.Has(Serving.CapturedLog.DeviceThrew).Should().BeTrue();
    }

    [Fact]
    public void Less_of_the_log_can_be_had()
    {
        TestGuest guest = TestGuest.Attach(new BlankDevice(), new TestGuestOptions { LogLevel = LogLevel.Warning });

        guest.Dispose();

        guest.Log.Should().BeEmpty();
    }

    [Fact]
    public void An_output_that_takes_no_more_stops_nothing()
    {
        using var guest = TestGuest.Attach(_device, new TestGuestOptions
        {
            Output = _ => throw new InvalidOperationException("There is no currently active test."),
        });

        guest.Bar0.Read<uint>(4).Should().Be(0);

        guest.Log.Should().Contain(line => line.Contains("took no more", StringComparison.Ordinal));
    }

    [Fact]
    public void A_failure_shows_the_end_of_the_log()
    {
        BlankDevice device = new(it => it.AddMsi(1));
        using var guest = TestGuest.Attach(device, new TestGuestOptions { Timeout = TimeSpan.FromMilliseconds(50) });

        guest.Msi[0].Invoking(irq => irq.WaitFor(1)).Should().Throw<TestGuestException>().WithMessage("*The server's log ends with:*Negotiated*");
    }
}
