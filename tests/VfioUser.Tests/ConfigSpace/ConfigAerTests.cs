using FluentAssertions;
using Xunit;
using static VfioUser.Tests.GuestConfigAccess;

namespace VfioUser.Tests;

public class ConfigAerTests
{
    private const int Express = 0x40;
    private const int Aer = 0x100;
    private const uint CompletionTimeout = 1u << 14;
    private const uint UnsupportedRequest = 1u << 20;
    private const uint Malformed = 1u << 18;

    private readonly ConfigSpace _config = NewConfig();
    private readonly AerCapability _aer;

    public ConfigAerTests()
    {
        _config.AddPciExpress();
        _aer = _config.AddAer();
        _config.Seal();
    }

    [Fact]
    public void Registers_are_those_of_the_specification()
    {
        _config.Guest<uint>(Aer).Should().Be(0x0002_0001, "AER, version 2, the last one");
        _config.Guest<uint>(Aer + 0x04).Should().Be(0);
        _config.Guest<uint>(Aer + 0x08).Should().Be(0x0040_0000, "internal errors are masked");
        _config.Guest<uint>(Aer + 0x0C).Should().Be(0x0046_2010, "fatal ones, but for Surprise Down, which only ports detect");
        _config.Guest<uint>(Aer + 0x14).Should().Be(0x0000_6000);
        _config.Guest<uint>(Aer + 0x18).Should().Be(0);
    }

    [Fact]
    public void The_log_keeps_the_first_error_until_the_guest_clears_it()
    {
        _aer.Report(AerUncorrectableErrors.CompletionTimeout, [0x0000_0001, 0x0100_000F, 0xFEE0_0000]).Should().Be(AerMessage.None, "no report is enabled");
        _aer.Report(AerUncorrectableErrors.MalformedTlp, [0x4000_0001, 2, 3, 4]);

        _config.Guest<uint>(Aer + 0x04).Should().Be(CompletionTimeout | Malformed);
        (_config.Guest<uint>(Aer + 0x18) & 0x1F).Should().Be(14);
        _config.GuestBytes(Aer + 0x1C, 16).Should().Equal(1, 0, 0, 0, 0x0F, 0, 0, 1, 0, 0, 0xE0, 0xFE, 0, 0, 0, 0);

        _config.Guest(Aer + 0x04, CompletionTimeout);
        _aer.Report(AerUncorrectableErrors.CompleterAbort, [0x7777_7777]);

        _aer.Uncorrectable.Should().Be(AerUncorrectableErrors.MalformedTlp | AerUncorrectableErrors.CompleterAbort);
        (_config.Guest<uint>(Aer + 0x18) & 0x1F).Should().Be(15);
        _config.Guest<uint>(Aer + 0x1C).Should().Be(0x7777_7777);
    }

    [Theory]
    [InlineData(0x00, 0x000, AerMessage.None)]
    [InlineData(0x02, 0x000, AerMessage.NonFatal)] // Non-Fatal Error Reporting Enable
    [InlineData(0x04, 0x000, AerMessage.None)]
    [InlineData(0x00, 0x100, AerMessage.NonFatal)] // SERR# Enable
    public void A_report_returns_the_message_that_a_bus_would_get(byte deviceControl, ushort command, AerMessage message)
    {
        _config.Guest(Express + 0x08, deviceControl);
        _config.Guest(0x04, command);

        _aer.Report(AerUncorrectableErrors.CompletionTimeout).Should().Be(message);

        _config.Guest<ushort>(Express + 0x0A).Should().Be(0x0002, "Non-Fatal Error Detected, whatever is enabled");
        (_config.Guest<ushort>(0x06) & 0x4000).Should().Be(command == 0 ? 0 : 0x4000, "Signaled System Error");
    }

    [Fact]
    public void Severity_and_mask_are_the_guests()
    {
        _config.Guest(Express + 0x08, (ushort)0x000F);
        _config.Guest(Aer + 0x0C, CompletionTimeout);
        _config.Guest(Aer + 0x08, UnsupportedRequest);

        _aer.Report(AerUncorrectableErrors.UnsupportedRequest, [1]).Should().Be(AerMessage.None);
        _config.Guest<uint>(Aer + 0x1C).Should().Be(0, "masked errors are not logged");
        _aer.Report(AerUncorrectableErrors.CompletionTimeout, [2]).Should().Be(AerMessage.Fatal);
        _config.Guest<uint>(Aer + 0x1C).Should().Be(2);
        _config.Guest<ushort>(Express + 0x0A).Should().Be(0x000E, "non-fatal, fatal, unsupported request");
    }

    [Fact]
    public void An_unsupported_request_is_reported_only_if_the_guest_enables_that_too()
    {
        _config.Guest(Express + 0x08, (ushort)0x0002);
        _aer.Report(AerUncorrectableErrors.UnsupportedRequest).Should().Be(AerMessage.None);

        _config.Guest(Express + 0x08, (ushort)0x000A);

        _aer.Report(AerUncorrectableErrors.UnsupportedRequest).Should().Be(AerMessage.NonFatal);
    }

    [Fact]
    public void Correctable_errors_are_masked_and_enabled_apart()
    {
        _config.Guest(Express + 0x08, (ushort)0x0001);

        _aer.Report(AerCorrectableErrors.Receiver).Should().Be(AerMessage.Correctable);
        _aer.Report(AerCorrectableErrors.Internal).Should().Be(AerMessage.None, "masked after a reset");

        _config.Guest<uint>(Aer + 0x10).Should().Be(0x4001);
        _config.Guest(Aer + 0x10, 0x4000u);
        _aer.Correctable.Should().Be(AerCorrectableErrors.Receiver);
    }

    [Fact]
    public void An_advisory_error_is_correctable_unless_the_guest_calls_it_fatal()
    {
        _config.Guest(Express + 0x08, (ushort)0x0007);
        _config.Guest(Aer + 0x14, 0u);

        _aer.ReportAdvisory(AerUncorrectableErrors.CompleterAbort, [9]).Should().Be(AerMessage.Correctable);
        _config.Guest<uint>(Aer + 0x10).Should().Be(0x2000, "Advisory Non-Fatal Error");
        _config.Guest<uint>(Aer + 0x04).Should().Be(0x8000);
        _config.Guest<uint>(Aer + 0x1C).Should().Be(9);

        _config.Guest(Aer + 0x0C, uint.MaxValue);
        _aer.ReportAdvisory(AerUncorrectableErrors.CompleterAbort).Should().Be(AerMessage.Fatal);
    }

    [Fact]
    public void Errors_outlive_a_function_level_reset_and_no_other()
    {
        _aer.Report(AerUncorrectableErrors.CompletionTimeout, [5]);
        _config.Guest(Aer + 0x08, Malformed);

        _config.Reset(keepSticky: true);
        _config.Guest<uint>(Aer + 0x04).Should().Be(CompletionTimeout);
        _config.Guest<uint>(Aer + 0x08).Should().Be(Malformed);
        _config.Guest<uint>(Aer + 0x1C).Should().Be(5);

        _config.Reset();
        _config.Guest<uint>(Aer + 0x04).Should().Be(0);
        _config.Guest<uint>(Aer + 0x08).Should().Be(0x0040_0000);
        _config.Guest<uint>(Aer + 0x1C).Should().Be(0);
    }

    [Fact]
    public void Reports_and_the_guests_acknowledgements_lose_nothing_of_each_other()
    {
        Task guest = Background.Run(() =>
        {
            for (int i = 0; i < 20_000; i++)
                _config.Guest(Aer + 0x04, Malformed);
        });
        for (int i = 0; i < 20_000; i++)
            _aer.Report(AerUncorrectableErrors.CompletionTimeout);
        guest.MustEnd("the guest");

        _aer.Uncorrectable.Should().Be(AerUncorrectableErrors.CompletionTimeout);
    }

    [Fact]
    public void Misuse_is_refused()
    {
        ConfigSpace conventional = NewConfig();

        conventional.Invoking(config => config.AddAer()).Should().Throw<InvalidOperationException>().WithMessage("*AddPciExpress*");
        _aer.Invoking(aer => aer.Report(AerUncorrectableErrors.None)).Should().Throw<ArgumentException>();
        _aer.Invoking(aer => aer.Report(AerUncorrectableErrors.SurpriseDown)).Should().Throw<ArgumentException>().WithMessage("*SurpriseDown*");
        _aer.Invoking(aer => aer.Report(AerUncorrectableErrors.Ecrc | AerUncorrectableErrors.MalformedTlp)).Should().Throw<ArgumentException>();
        _aer.Invoking(aer => aer.Report(AerUncorrectableErrors.Ecrc, new uint[5])).Should().Throw<ArgumentException>();
        _aer.Invoking(aer => aer.Report(AerCorrectableErrors.HeaderLogOverflow)).Should().Throw<ArgumentException>();
    }
}
