using FluentAssertions;
using VfioUser.Testing;
using Xunit;

namespace VfioUser.Tests;

public class SriovTests
{
    private const int Sriov = 0x100;
    private const int Control = Sriov + 0x08;
    private const int NumVfs = Sriov + 0x10;
    private const int PageSize = Sriov + 0x20;
    private const int Bar0 = Sriov + 0x24;

    private readonly List<int> _counts = [];
    private SriovCapability _sriov = null!;

    [Fact]
    public void Registers_are_those_of_the_specification()
    {
        BlankDevice device = Card();

        device.Config.Guest<uint>(Sriov).Should().Be(0x0001_0010);
        device.Config.GuestBytes(Sriov + 0x0C, 4).Should().Equal(8, 0, 8, 0); // InitialVFs, TotalVFs
        device.Config.GuestBytes(Sriov + 0x14, 8).Should().Equal(0x80, 0, 2, 0, 0, 0, 0xF2, 0x00); // offset, stride, device
        device.Config.Guest<uint>(Sriov + 0x1C).Should().Be(0x553);
        device.Config.Guest<uint>(PageSize).Should().Be(1);
        device.Config.Guest(Bar0, ulong.MaxValue);
        device.Config.Guest<ulong>(Bar0).Should().Be(0xFFFF_FFFF_FFFF_C00C, "64 bits, prefetchable, 16 KiB");
    }

    [Fact]
    public void The_device_is_notified_of_the_functions_that_the_guest_enables()
    {
        BlankDevice device = Card();

        device.Config.Guest<ushort>(NumVfs, 3);
        _counts.Should().BeEmpty("they are not enabled");
        device.Config.Guest(Bar0, 0x10_0000_0000ul);
        device.Config.Guest<ushort>(Control, 0x0009);
        device.Config.Guest<ushort>(NumVfs, 5); // too late
        _sriov.Count.Should().Be(3);
        _sriov.IsMemoryEnabled.Should().BeTrue();
        _sriov.BarAddress(function: 2, bar: 0).Should().Be(0x10_0000_8000);
        device.Config.Guest<ushort>(NumVfs).Should().Be(3);
        device.Config.Guest<ushort>(Control, 0);

        _counts.Should().Equal(3, 0);
    }

    [Fact]
    public void Functions_beyond_the_last_become_all_there_are()
    {
        BlankDevice device = Card();

        device.Config.Guest<ushort>(NumVfs, ushort.MaxValue);
        device.Config.Guest<byte>(Control, 1);

        _counts.Should().Equal(8);
    }

    [Fact]
    public void A_larger_page_makes_each_bar_a_page_at_least()
    {
        BlankDevice device = Card();

        device.Config.Guest(PageSize, 0x10u); // 64 KiB

        device.Config.Guest(Bar0, ulong.MaxValue);
        device.Config.Guest<ulong>(Bar0).Should().Be(0xFFFF_FFFF_FFFF_000C);
        device.Config.Guest(PageSize, 0x11u);
        device.Config.Guest<uint>(PageSize).Should().Be(0x10, "two sizes are none");
        device.Config.Guest(PageSize, 0u);
        device.Config.Guest<uint>(PageSize).Should().Be(0x10);
    }

    [Fact]
    public void Functions_end_with_a_reset_and_move_with_the_device()
    {
        BlankDevice source = Card();
        using TestGuest guest = TestGuest.Attach(source);
        guest.Config.Write(PageSize, 0x10u);
        guest.Config.Write(Bar0, 0x10_0001_0000ul);
        guest.Config.Write<ushort>(NumVfs, 2);
        guest.Config.Write<ushort>(Control, 1);
        BlankDevice target = Card();
        using TestGuest moved = guest.MigrateTo(target);
        moved.Config.Read<ulong>(Bar0).Should().Be(0x10_0001_000C);
        _sriov.Count.Should().Be(2);
        _counts.Should().Equal(2, 2);

        moved.Reset();

        _counts.Should().Equal(2, 2, 0);
        moved.Config.Read<uint>(PageSize).Should().Be(1);
    }

    [Fact]
    public void Impossible_functions_are_refused()
    {
        foreach (SriovOptions wrong in (SriovOptions[])
        [
            Options() with { TotalVirtualFunctions = 0 }, Options() with { TotalVirtualFunctions = 65536 }, Options() with { FirstOffset = 0 },
            Options() with { Stride = -1 }, Options() with { Bars = [new(5, BarKind.Memory64, 4096)] }, Options() with { Bars = [new(0, BarKind.Io, 4096)] },
            Options() with { Bars = [new(0, BarKind.Memory32, 2048)] }, Options() with { Bars = [new(-1, BarKind.Memory32, 4096)] },
            Options() with { Bars = [new(0, BarKind.Memory64, 4096), new(1, BarKind.Memory32, 4096)] },
        ])
        {
            FluentActions.Invoking(() => Card(wrong)).Should().Throw<ArgumentException>();
        }
        FluentActions.Invoking(() => new BlankDevice(it => it.AddSriov(Options()))).Should().Throw<InvalidOperationException>().WithMessage("*AddPciExpress*");
        Card().Invoking(_ => _sriov.BarAddress(8, 0)).Should().Throw<ArgumentException>();
        Card().Invoking(_ => _sriov.BarAddress(0, 1)).Should().Throw<ArgumentException>();
    }

    private static SriovOptions Options() => new()
    {
        TotalVirtualFunctions = 8,
        DeviceId = 0x00F2,
        FirstOffset = 0x80,
        Stride = 2,
        Bars = [new(0, BarKind.Memory64Prefetchable, 0x4000)],
    };

    private BlankDevice Card(SriovOptions? options = null)
    {
        BlankDevice device = new(it =>
        {
            it.Config.AddPciExpress();
            _sriov = it.AddSriov(options ?? Options());
            _sriov.AddCountHandler(_counts.Add);
            it.EnableMigration();
        });
        device.Config.Seal();
        return device;
    }
}
