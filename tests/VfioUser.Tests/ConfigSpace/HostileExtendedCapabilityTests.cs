using FluentAssertions;
using Xunit;

namespace VfioUser.Tests;

public class HostileExtendedCapabilityTests
{
    private const long MiB = 1 << 20;

    private static readonly ushort[] Ids = [0x01, 0x0D, 0x0F, 0x18, 0x15, 0x10];

    [Fact]
    public void Writes_of_each_width_at_each_offset_leave_a_valid_device_that_a_reset_restores()
    {
        (BlankDevice device, Bar bar) = Card();
        ConfigSpace config = device.Config;
        byte[] before = config.GuestBytes(0, 4096);
        foreach (int width in (int[])[1, 2, 3, 4, 8, 16, 64])
        {
            foreach (byte pattern in (byte[])[0xFF, 0x00, 0xA5, 0x03])
            {
                byte[] bytes = new byte[width];
                bytes.AsSpan().Fill(pattern);
                for (int offset = 0; offset < 0x200; offset++)
                {
                    config.GuestWrite(offset, bytes);
                    ShouldBeValid(config, bar);
                }
            }
        }

        device.Reset(ResetReason.ClientRequested);

        config.GuestBytes(0, 4096).Should().Equal(before);
        config.Sriov!.Count.Should().Be(0);
    }

    private static void ShouldBeValid(ConfigSpace config, Bar bar)
    {
        bool valid = config.ResizableBars!.SizeOf(bar) is 4 * MiB or 8 * MiB or 16 * MiB
            && config.BarSize(bar.Number) == config.ResizableBars.SizeOf(bar)
            && config.Sriov!.Count is >= 0 and <= 4
            && config.Aer!.Uncorrectable == AerUncorrectableErrors.None
            && config.Aer.Correctable == AerCorrectableErrors.None
            && config.Ats!.SmallestTranslationUnit >= 4096
            && config.Ltr!.MaxSnoopLatency >= 0;
        if (!valid)
            throw new InvalidOperationException("The guest has made the device impossible.");
        for (int at = 0x100, i = 0; i < Ids.Length; i++)
        {
            uint header = config.Guest<uint>(at);
            if ((ushort)header != Ids[i])
                throw new InvalidOperationException($"The capability at 0x{at:x} has another header.");
            at = (int)(header >> 20);
        }
    }

    private static (BlankDevice Device, Bar Bar) Card()
    {
        Bar bar = null!;
        BlankDevice device = new(it =>
        {
            bar = it.AddBar(0, BarKind.Memory64Prefetchable, 16 * MiB);
            it.Config.AddPciExpress(new PciExpressOptions { FunctionLevelReset = false });
            it.Config.AddAer(new AerOptions { Ecrc = true });
            it.Config.AddAcs(AcsFeatures.RequestRedirect);
            it.Config.AddAts();
            it.Config.AddLtr();
            it.AddResizableBars(new ResizableBar(bar) { SmallestSize = 4 * MiB });
            it.AddSriov(new SriovOptions { TotalVirtualFunctions = 4, DeviceId = 0x00F2, Bars = [new(0, BarKind.Memory32, 0x1000), new(2, BarKind.Memory64, 0x10_0000)] });
        });
        device.Config.Seal();
        return (device, bar);
    }
}
