using VfioUser.Testing;

namespace VfioUser.Tests;

public sealed class StandardErrorTests : IDisposable
{
    private readonly StringWriter _error = new() { NewLine = "\n" };

    public void Dispose() => _error.Dispose();

    [Fact]
    public void A_server_that_was_given_no_logger_has_this_one() =>
        new VfioUserServerOptions().Logger.Should().BeSameAs(StandardErrorLogger.Instance);

    [Fact]
    public void An_exception_of_the_device_is_one_line_with_its_place_value_and_source()
    {
        using (TestGuest guest = Attach(new ThrowingCard()))
        {
            guest.Bar0.Invoking(bar => bar.Write(0x4, 0x2Au)).Should().Throw<Client.VfioUserException>();
            guest.AcceptDeviceExceptions().Should().ContainSingle().Which.Value.Should().Be(0x2A);
        }

        _error.ToString().Should().MatchRegex(
            @"VfioUser: error: The device threw in RegionWrite at 0x4 of Bar0 \(CTRL\), value 0x2a\. FormatException: two lines at \S+ in \S+StandardErrorTests\.cs:\d+\n");
        _error.ToString().TrimEnd().Split('\n').Should().OnlyContain(line => line.StartsWith("VfioUser: ", StringComparison.Ordinal));
    }

    [Fact]
    public void Information_is_not_written()
    {
        using (TestGuest guest = Attach(new ThrowingCard()))
            guest.Log.Should().NotBeEmpty();

        _error.ToString().Should().BeEmpty();
    }

    [Fact]
    public void An_output_that_fails_does_not_stop_the_server()
    {
        StandardErrorLogger broken = new(() => throw new IOException("no space left"));
        using TestGuest guest = TestGuest.Attach(new ThrowingCard(), new TestGuestOptions { Server = new() { Logger = broken } });

        guest.Bar0.Invoking(bar => bar.Write(0x4, 1u)).Should().Throw<Client.VfioUserException>();

        guest.Bar0.Read<uint>(0x4).Should().Be(1);
    }

    private TestGuest Attach(PciDevice device) =>
        TestGuest.Attach(device, new TestGuestOptions { Server = new() { Logger = new StandardErrorLogger(() => _error) } });

    private sealed class ThrowingCard : PciDevice
    {
        public ThrowingCard()
            : base(new PciId(0x1B36, 0x0001), PciClass.Unclassified) =>
            AddBar(0, BarKind.Memory32, 0x1000).AddRegister<uint>(0x4, new() { Name = "CTRL", OnWrite = _ => throw new FormatException("two\nlines") });
    }
}
