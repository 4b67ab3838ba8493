using FluentAssertions;
using Xunit;
using static VfioUser.Tests.GuestConfigAccess;

namespace VfioUser.Tests;

public class ConfigExpressExtensionTests
{
    private readonly ConfigSpace _config = NewConfig();

    [Fact]
    public void Extended_capabilities_are_refused_without_pci_express()
    {
        BlankDevice device = new();
        Bar bar = device.AddBar(0, BarKind.Memory64, 4 << 20);

        foreach (Action add in new Action[]
        {
            () => device.Config.AddDeviceSerialNumber(1),
            () => device.Config.AddAer(),
            () => device.Config.AddAcs(AcsFeatures.RequestRedirect),
            () => device.Config.AddAts(),
            () => device.Config.AddLtr(),
            () => device.AddResizableBars(new ResizableBar(bar)),
            () => device.AddSriov(new SriovOptions { TotalVirtualFunctions = 1, DeviceId = 1, Bars = [new(0, BarKind.Memory64, size: 0x4000)] }),
            () => device.Config.AddExtendedVendorSpecific(1, 0, [1]),
            () => device.Config.AddExtendedCapability(0x18, 1, [1]),
            () => device.Config.AddExtendedCapabilityBlock(0x18, 1, 8, "LTR"),
        })
        {
            add.Should().Throw<InvalidOperationException>().WithMessage("*belongs to PCI Express*call AddPciExpress first*");
        }
        device.Config.Size.Should().Be(256);
    }

    [Theory]
    [InlineData(0x07, 6)] // PCI-X, mode 2
    [InlineData(0x10, 58)] // PCI Express
    public void Extended_capabilities_follow_one_that_was_added_as_bytes(byte id, int length)
    {
        BlankDevice device = new();
        device.Config.AddCapability(id, new byte[length]);

        device.Config.AddDeviceSerialNumber(1).Offset.Should().Be(0x100);
    }

    [Fact]
    public void Access_control_has_what_was_declared_and_shows_what_the_guest_enables()
    {
        _config.AddPciExpress();
        AcsCapability acs = _config.AddAcs(AcsFeatures.RequestRedirect | AcsFeatures.DirectTranslatedP2P);

        _config.Guest(0x106, ushort.MaxValue);

        _config.GuestBytes(0x100, 8).Should().Equal(0x0D, 0x00, 0x01, 0x00, 0x44, 0x00, 0x44, 0x00);
        acs.Enabled.Should().Be(acs.Features);
        _config.Invoking(it => it.AddAcs(AcsFeatures.None)).Should().Throw<InvalidOperationException>().WithMessage("*ACS*already*");
        NewConfig().Invoking(it => it.AddAcs((AcsFeatures)0x20)).Should().Throw<ArgumentException>("egress control needs a vector");
    }

    [Fact]
    public void Address_translation_shows_its_unit_and_whether_it_is_enabled()
    {
        _config.AddPciExpress();
        AtsCapability ats = _config.AddAts(invalidateQueueDepth: 32, globalInvalidate: true);
        _config.GuestBytes(0x100, 8).Should().Equal(0x0F, 0x00, 0x01, 0x00, 0x60, 0x00, 0x00, 0x00);
        ats.IsEnabled.Should().BeFalse();
        ats.SmallestTranslationUnit.Should().Be(4096);

        _config.Guest<ushort>(0x106, 0x8002);

        ats.IsEnabled.Should().BeTrue();
        ats.SmallestTranslationUnit.Should().Be(0x4000);
        _config.Guest<ushort>(0x106, 0x001F);
        ats.SmallestTranslationUnit.Should().Be(1L << 43);
    }

    [Fact]
    public void Latency_tolerance_is_in_nanoseconds_and_shows_in_pci_express()
    {
        PciExpressCapability express = _config.AddPciExpress();
        LtrCapability ltr = _config.AddLtr();
        (_config.Guest<uint>(0x64) & 0x800).Should().Be(0x800, "LTR Mechanism Supported");

        _config.Guest<ushort>(0x104, 0x0803); // 3 times 1,024 ns
        _config.Guest<ushort>(0x106, 0xFFFF);
        _config.Guest<ushort>(0x68, 0x0400);

        ltr.MaxSnoopLatency.Should().Be(3 * 1024);
        ltr.MaxNoSnoopLatency.Should().Be(0x3FFL << 25);
        _config.Guest<ushort>(0x106).Should().Be(0x1FFF);
        express.IsLtrEnabled.Should().BeTrue();
        NewConfig().Invoking(it => it.AddLtr()).Should().Throw<InvalidOperationException>().WithMessage("*AddPciExpress*");
    }

    [Theory]
    [InlineData(PciExpressLinkSpeed.Gen6, PciExpressLinkWidth.X16, 0x0106, 0x7E)]
    [InlineData(PciExpressLinkSpeed.Gen4, PciExpressLinkWidth.X12, 0x00C4, 0x1E)]
    public void Links_are_as_fast_and_wide_as_they_are_called(PciExpressLinkSpeed speed, PciExpressLinkWidth width, ushort link, uint speeds)
    {
        _config.AddPciExpress(new PciExpressOptions { LinkSpeed = speed, LinkWidth = width });

        _config.Guest<uint>(0x4C).Should().Be(link);
        _config.Guest<ushort>(0x52).Should().Be(link);
        _config.Guest<uint>(0x6C).Should().Be(speeds);
    }
}
