using FluentAssertions;
using VfioUser.Testing;
using Xunit;

namespace VfioUser.Tests;

public class ResizableBarTests
{
    private const int Control = 0x108;
    private const long MiB = 1 << 20;

    private readonly List<long> _resized = [];
    private Bar _bar = null!;
    private ResizableBarCapability _resizable = null!;

    [Fact]
    public void Sizes_are_those_from_the_smallest_to_the_region()
    {
        BlankDevice device = Card();

        device.Config.Guest<uint>(0x100).Should().Be(0x0001_0015);
        device.Config.Guest<uint>(0x104).Should().Be(0x0000_03C0, "4, 8, 16 and 32 MiB");
        device.Config.Guest<uint>(Control).Should().Be(0x0322, "8 MiB, one BAR, which is number 2");
        Sized(device).Should().Be(8 * MiB);
        _bar.Size.Should().Be(32 * MiB);
    }

    [Fact]
    public void The_guest_chooses_a_size_and_loses_the_address()
    {
        BlankDevice device = Card();
        device.Config.Guest(0x18, 0x0080_0000u);

        device.Config.Guest(Control, 0x0522u);

        _resized.Should().Equal(32 * MiB);
        _resizable.SizeOf(_bar).Should().Be(32 * MiB);
        _bar.Address.Should().Be(0);
        Sized(device).Should().Be(32 * MiB);
    }

    [Theory]
    [InlineData(0x0000_0022u)] // 1 MiB
    [InlineData(0x0000_0622u)] // 64 MiB
    [InlineData(0xFFFF_FFFFu)]
    public void A_size_that_is_not_supported_changes_nothing(uint control)
    {
        BlankDevice device = Card();

        device.Config.Guest(Control, control);

        device.Config.Guest<uint>(Control).Should().Be(0x0322);
        Sized(device).Should().Be(8 * MiB);
        _resized.Should().BeEmpty();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_reset_brings_the_first_size_back(bool functionLevel)
    {
        BlankDevice device = Card();
        device.Config.Guest(Control, 0x0222u);

        device.Config.Reset(functionLevel);

        _resizable.SizeOf(_bar).Should().Be(8 * MiB);
        Sized(device).Should().Be(8 * MiB);
    }

    [Fact]
    public void Size_and_address_move_with_the_device()
    {
        BlankDevice source = Card(), target = Card();
        using TestGuest guest = TestGuest.Attach(source);
        guest.Config.Write(Control, 0x0222u); // 4 MiB, so that there is an address bit more
        guest.Config.Write(0x18, 0x8040_0000u);

        using TestGuest moved = guest.MigrateTo(target);

        moved.Config.Read<uint>(Control).Should().Be(0x0222);
        moved.Config.Read<uint>(0x18).Should().Be(0x8040_0008, "prefetchable");
        _resizable.SizeOf(_bar).Should().Be(4 * MiB);
    }

    [Fact]
    public void Several_bars_have_an_entry_each()
    {
        BlankDevice device = new(it =>
        {
            it.Config.AddPciExpress();
            it.AddResizableBars(
                new ResizableBar(it.AddBar(0, BarKind.Memory64Prefetchable, 1L << 50)),
                new ResizableBar(it.AddBar(4, BarKind.Memory32, 2 * MiB)) { SmallestSize = 2 * MiB });
        });

        device.Config.Guest<uint>(0x104).Should().Be(0xFFFF_FFF0u);
        device.Config.Guest<uint>(0x108).Should().Be(0x0007_1E40u, "1 PiB, and sizes from 256 TiB on");
        device.Config.Guest<uint>(0x10C).Should().Be(0x0000_0020);
        device.Config.Guest<uint>(0x110).Should().Be(0x0000_0104);
    }

    [Fact]
    public void Impossible_sizes_are_refused()
    {
        BlankDevice device = new(), other = new();
        Bar small = device.AddBar(0, BarKind.Memory32, 0x1000), bar = device.AddBar(1, BarKind.Memory32, 4 * MiB);

        foreach (ResizableBar wrong in (ResizableBar[])
        [
            new(small), new(bar) { SmallestSize = 8 * MiB }, new(bar) { SmallestSize = 3 * MiB }, new(bar) { SmallestSize = 0x1000 }, new(bar) { SmallestSize = -1 },
            new(bar) { SmallestSize = 2 * MiB, InitialSize = MiB }, new(bar) { InitialSize = 8 * MiB }, new(other.AddBar(0, BarKind.Memory32, MiB)),
        ])
        {
            device.Invoking(it => it.AddResizableBars(wrong)).Should().Throw<ArgumentException>();
            other = new BlankDevice();
        }
        device.Invoking(it => it.AddResizableBars(new ResizableBar(bar), new ResizableBar(bar))).Should().Throw<ArgumentException>().WithMessage("*twice*");
        device.Invoking(it => it.AddResizableBars()).Should().Throw<ArgumentException>();
    }

    private BlankDevice Card()
    {
        BlankDevice device = new(it =>
        {
            it.Config.AddPciExpress();
            _bar = it.AddBar(2, BarKind.Memory32Prefetchable, 32 * MiB);
            _resizable = it.AddResizableBars(new ResizableBar(_bar) { SmallestSize = 4 * MiB, InitialSize = 8 * MiB, OnResize = _resized.Add });
            it.EnableMigration();
        });
        device.Config.Seal();
        return device;
    }

    private static long Sized(BlankDevice device)
    {
        uint old = device.Config.Guest<uint>(0x18);
        device.Config.Guest(0x18, uint.MaxValue);
        uint mask = device.Config.Guest<uint>(0x18) & ~0xFu;
        device.Config.Guest(0x18, old);
        return (uint)-(int)mask;
    }
}
