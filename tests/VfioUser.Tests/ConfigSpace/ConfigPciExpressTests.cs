using FluentAssertions;
using Xunit;
using static VfioUser.Tests.GuestConfigAccess;

namespace VfioUser.Tests;

public class ConfigPciExpressTests
{
    private readonly ConfigSpace _config = NewConfig();
    private int _resets;

    private PciExpressCapability Add(PciExpressOptions? options = null)
    {
        PciExpressCapability express = _config.AddPciExpress(options);
        express.FunctionLevelReset = () => _resets++;
        return express;
    }

    [Fact]
    public void The_default_is_a_version_2_endpoint_with_function_level_reset()
    {
        Add();

        _config.Size.Should().Be(4096);
        _config.GuestBytes(0x40, 60).Should().Equal(
            0x10, 0x00, 0x02, 0x00, 0x20, 0x80, 0x00, 0x10, // header, capabilities, device capabilities
            0x10, 0x28, 0x00, 0x00, 0x11, 0x00, 0x00, 0x00, // device control, status, link capabilities
            0x00, 0x00, 0x11, 0x00, 0x00, 0x00, 0x00, 0x00, // link control, status, slot
            0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, // slot, root
            0x00, 0x00, 0x00, 0x00, 0x10, 0x00, 0x00, 0x00, // root status, device capabilities 2
            0x00, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, // device control 2, status 2, link capabilities 2
            0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, // link control 2, status 2, slot 2
            0x00, 0x00, 0x00, 0x00);
    }

    [Fact]
    public void Options_show_in_the_registers()
    {
        Add(new PciExpressOptions
        {
            Type = PciExpressType.LegacyEndpoint,
            FunctionLevelReset = false,
            MaxPayload = 512,
            LinkSpeed = PciExpressLinkSpeed.Gen3,
            LinkWidth = PciExpressLinkWidth.X4,
        });

        _config.Guest<ushort>(0x42).Should().Be(0x0012);
        _config.Guest<uint>(0x44).Should().Be(0x0000_8022u);
        _config.Guest<uint>(0x4C).Should().Be(0x0000_0043u);
        _config.Guest<ushort>(0x52).Should().Be(0x0043);
        _config.Guest<uint>(0x6C).Should().Be(0x0000_000Eu); // 2.5, 5 and 8 GT/s
        _config.Guest<ushort>(0x70).Should().Be(0x0003);
    }

    [Fact]
    public void An_endpoint_in_the_root_complex_has_no_link()
    {
        Add(new PciExpressOptions { Type = PciExpressType.RootComplexIntegratedEndpoint });
        _config.GuestWrite(0x4C, [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]);
        _config.Guest(0x70, 0xFFFF_FFFFu);

        _config.Guest<ushort>(0x42).Should().Be(0x0092);
        _config.Guest<ulong>(0x4C).Should().Be(0);
        _config.Guest<uint>(0x70).Should().Be(0);
    }

    [Fact]
    public void Initiating_a_function_level_reset_calls_back_and_reads_as_zero()
    {
        Add();

        _config.Guest<ushort>(0x48, 0x8000);

        _resets.Should().Be(1);
        _config.Guest<ushort>(0x48).Should().Be(0x0000);
    }

    [Theory]
    [InlineData(0x47, new byte[] { 0xFF }, 0)]
    [InlineData(0x48, new byte[] { 0xFF }, 0)]
    [InlineData(0x49, new byte[] { 0x80 }, 1)]
    [InlineData(0x49, new byte[] { 0x7F }, 0)]
    [InlineData(0x47, new byte[] { 0x00, 0x00, 0x80 }, 1)]
    [InlineData(0x49, new byte[] { 0x80, 0x00, 0x00 }, 1)]
    [InlineData(0x48, new byte[] { 0x10, 0xA8, 0x0F, 0x00 }, 1)]
    [InlineData(0x4A, new byte[] { 0x00, 0x80 }, 0)]
    public void A_function_level_reset_needs_its_bit_at_any_width(int offset, byte[] written, int resets)
    {
        Add();

        _config.GuestWrite(offset, written);

        _resets.Should().Be(resets);
    }

    [Fact]
    public void A_device_without_function_level_reset_is_not_reset()
    {
        Add(new PciExpressOptions { FunctionLevelReset = false });

        _config.Guest<ushort>(0x48, 0x8000);

        _resets.Should().Be(0);
    }

    [Fact]
    public void A_reset_from_within_the_callback_restores_the_registers()
    {
        _config.SetBar(0, BarKind.Memory32, 0x1000);
        PciExpressCapability express = Add();
        express.FunctionLevelReset = () => _config.Reset();
        _config.Seal();
        _config.Guest(0x10, 0xFEB0_0000u);
        _config.Guest<ushort>(0x04, 0x0006);

        _config.Guest<ushort>(0x48, 0x8000);

        _config.Guest<ushort>(0x48).Should().Be(0x2810);
        _config.Guest<uint>(0x10).Should().Be(0);
        _config.IsBusMasterEnabled.Should().BeFalse();
    }

    [Fact]
    public void Device_control_holds_what_the_device_has()
    {
        PciExpressCapability express = Add();

        _config.Guest<ushort>(0x48, 0x7FFF);

        _config.Guest<ushort>(0x48).Should().Be(0x79FF);
        express.MaxPayload.Should().Be(4096); // 7 is reserved
    }

    [Fact]
    public void Payload_and_read_request_sizes_are_in_bytes()
    {
        PciExpressCapability express = Add();
        int before = express.MaxReadRequest;

        _config.Guest<ushort>(0x48, 0x5020);

        before.Should().Be(512);
        express.MaxPayload.Should().Be(256);
        express.MaxReadRequest.Should().Be(4096);
    }

    [Fact]
    public void Writing_ones_to_device_status_clears_errors()
    {
        Add();
        _config.Write<ushort>(0x4A, 0x002F); // four errors, transactions pending

        _config.Guest<ushort>(0x4A, 0x0025);

        _config.Guest<ushort>(0x4A).Should().Be(0x002A);
    }

    [Theory]
    [InlineData(0x50, 0xFFFF, 0x02CB)] // link control
    [InlineData(0x52, 0xFFFF, 0x0011)] // link status
    [InlineData(0x68, 0xADDE, 0x0110)] // device control 2
    [InlineData(0x68, 0xFFFF, 0x0310)]
    [InlineData(0x70, 0xEFBE, 0xEFBE)] // link control 2
    [InlineData(0x70, 0xFFFF, 0xFFBF)]
    [InlineData(0x58, 0xFFFF, 0x0000)] // slot control: not for endpoints
    [InlineData(0x5C, 0xFFFF, 0x0000)] // root control: not for endpoints
    [InlineData(0x44, 0x0000, 0x8020)] // device capabilities
    public void Other_registers_hold_what_the_device_has(int offset, ushort written, ushort stored)
    {
        Add();

        _config.Guest(offset, written);

        _config.Guest<ushort>(offset).Should().Be(stored);
    }

    [Fact]
    public void Options_out_of_range_are_refused()
    {
        (PciExpressOptions Options, string Message)[] cases =
        [
            (new PciExpressOptions { Type = (PciExpressType)4 }, "*no endpoint*"),
            (new PciExpressOptions { MaxPayload = 64 }, "*128 to 4096*"),
            (new PciExpressOptions { MaxPayload = 300 }, "*128 to 4096*"),
            (new PciExpressOptions { LinkSpeed = 0 }, "*LinkSpeed 0*"),
            (new PciExpressOptions { LinkSpeed = (PciExpressLinkSpeed)7 }, "*LinkSpeed 7*"),
            (new PciExpressOptions { LinkWidth = (PciExpressLinkWidth)3 }, "*LinkWidth 3*"),
            (new PciExpressOptions { LinkWidth = (PciExpressLinkWidth)64 }, "*LinkWidth 64*"),
        ];

        cases.Should().AllSatisfy(each =>
            _config.Invoking(config => config.AddPciExpress(each.Options))
                .Should().Throw<ArgumentException>().WithMessage(each.Message));
        _config.Size.Should().Be(256);
    }
}
