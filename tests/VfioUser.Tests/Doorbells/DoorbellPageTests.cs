using System.Runtime.InteropServices;
using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests;

public class DoorbellPageTests
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(30);
    private static readonly DoorbellPageOptions Polling = new() { Mode = NotificationMode.Polling, Stride = 8 };

    [Fact]
    public void Changed_values_ring_once()
    {
        List<(int, uint)> rung = [];
        DoorbellPage? page = null;
        using TestGuest guest = TestGuest.Attach(new OddDevice(d => page = Page(d, (index, value) => rung.Add((index, value)), Polling)));
        using SharedMemory mapped = Map(guest);

        page!.Poll().Should().Be(0);
        Put(mapped, 0x08, 5);
        Put(mapped, 0x18, uint.MaxValue);
        Put(mapped, 0x04, 9); // between two doorbells
        Put(mapped, 0x20, 9); // behind the last
        page.Poll().Should().Be(2);
        page.Poll().Should().Be(0);

        rung.Should().Equal((1, 5u), (3, uint.MaxValue));
        page.Count.Should().Be(4);
    }

    [Fact]
    public void Looking_and_ringing_allocate_nothing()
    {
        uint last = 0;
        DoorbellPage? page = null;
        using TestGuest guest = TestGuest.Attach(new OddDevice(d => page = Page(d, (_, value) => last = value, Polling)));
        using SharedMemory mapped = Map(guest);
        Put(mapped, 0x08, 1);
        page!.Poll();

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (uint i = 2; i < 100; i++)
        {
            Put(mapped, 0x08, i);
            page.Poll();
            page.Poll();
        }

        (GC.GetAllocatedBytesForCurrentThread() - before).Should().Be(0);
        last.Should().Be(99);
    }

    [Fact]
    public void A_polling_thread_notices_a_ring_after_any_idle_time()
    {
        using SemaphoreSlim rung = new(0);
        DoorbellPageOptions options = new() { Spin = TimeSpan.Zero, LongestWait = TimeSpan.FromMilliseconds(2) };
        using TestGuest guest = TestGuest.Attach(new OddDevice(d => Page(d, (_, _) => rung.Release(), options)));
        using SharedMemory mapped = Map(guest);

        for (uint i = 1; i < 5; i++)
        {
            Put(mapped, 4, i);
            rung.Wait(Timeout).Should().BeTrue();
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_stopped_thread_is_woken_by_the_device_or_by_a_message(bool byAuthor)
    {
        using SemaphoreSlim rung = new(0);
        DoorbellPage? page = null;
        DoorbellPageOptions options = new() { Spin = TimeSpan.Zero, StopAfter = TimeSpan.Zero };
        using TestGuest guest = TestGuest.Attach(new OddDevice(d => page = Page(d, (_, _) => rung.Release(), options)));
        using SharedMemory mapped = Map(guest);

        if (byAuthor)
        {
            Put(mapped, 4, 1);
            page!.Wake();
        }
        else
        {
            guest.Bar0.Write(0x1004, 1u);
        }

        rung.Wait(Timeout).Should().BeTrue();
    }

    [Fact]
    public void Values_that_stand_after_a_reset_count_as_seen()
    {
        int rung = 0;
        DoorbellPage? page = null;
        using TestGuest guest = TestGuest.Attach(new OddDevice(d => page = Page(d, (_, _) => rung++, Polling)));
        using SharedMemory mapped = Map(guest);
        Put(mapped, 0, 1);

        guest.Reset();

        page!.Poll().Should().Be(0);
        Put(mapped, 0, 0);
        page.Poll().Should().Be(1);
    }

    [Fact]
    public void An_exception_for_one_doorbell_keeps_no_other_from_ringing()
    {
        List<int> rung = [];
        List<Exception> threw = [];
        DoorbellPage? page = null;
        OddDevice device = new(d => page = Page(d, (index, _) =>
        {
            if (index == 0)
                throw new InvalidOperationException("bang");
            rung.Add(index);
        }, Polling));
        using TestGuest guest = TestGuest.Attach(device, new TestGuestOptions
        {
            Server = new VfioUserServerOptions { OnDeviceException = context => threw.Add(context.Exception) },
        });
        using SharedMemory mapped = Map(guest);
        Put(mapped, 0, 1);
        Put(mapped, 8, 1);

        page!.Poll().Should().Be(2);

        rung.Should().Equal(1);
        threw.Should().ContainSingle();
    }

    [Theory]
    [InlineData(0x1002, 1, 4)] // not aligned
    [InlineData(0x1000, 1, 6)]
    [InlineData(0x1000, 1, 0)]
    [InlineData(0x1000, 0, 4)]
    [InlineData(0x0FFC, 2, 4)] // begins before the area
    [InlineData(0x1FFC, 2, 4)] // ends behind it
    [InlineData(0x1000, int.MaxValue, int.MaxValue - 3)]
    [InlineData(0x3000, 1, 4)] // no memory there
    public void Doorbells_lie_in_one_area_of_shared_memory(long offset, int count, int stride)
    {
        OddDevice device = new(_ => { });
        Bar bar = device.Bar(0, BarKind.Memory32, 0x4000);
        bar.ShareMemory(new MemoryArea(0x1000, 0x1000));

        Action add = () => bar.AddDoorbellPage(offset, count, (_, _) => { }, new DoorbellPageOptions { Stride = stride });

        add.Should().Throw<ArgumentException>();
    }

    [Fact]
    public void Doorbells_of_64_bits_are_seen_whole_at_their_stride()
    {
        List<(int, ulong)> rung = [];
        DoorbellPage? page = null;
        using TestGuest guest = TestGuest.Attach(new OddDevice(device =>
        {
            Bar bar = device.Bar(0, BarKind.Memory32, 0x4000);
            bar.ShareMemory(new MemoryArea(0x1000, 0x1000));
            page = bar.AddDoorbellPage<ulong>(0x1000, 3, (doorbell, value) => rung.Add((doorbell, value)), new() { Mode = NotificationMode.Polling, Stride = 16 });
        }));

        guest.Bar0.Write(0x1010, 0x1_0000_0000ul); // the low half does not change
        guest.Bar0.Write(0x1018, ulong.MaxValue); // between two of them
        page!.Poll().Should().Be(1);
        page.Poll().Should().Be(0);
        guest.Reset();
        guest.Bar0.Write(0x1020, 5ul);
        page.Poll();

        rung.Should().Equal((1, 0x1_0000_0000), (2, 5));
    }

    [Fact]
    public void Doorbells_have_32_or_64_bits()
    {
        OddDevice device = new(_ => { });
        Bar bar = device.Bar(0, BarKind.Memory32, 0x4000);
        bar.ShareMemory();

        bar.Invoking(it => it.AddDoorbellPage<ushort>(0, 1, (_, _) => { })).Should().Throw<ArgumentException>().WithMessage("*UInt16*");
        bar.Invoking(it => it.AddDoorbellPage<ulong>(4, 1, (_, _) => { })).Should().Throw<ArgumentException>("not at a multiple of 8");
        bar.Invoking(it => it.AddDoorbellPage<ulong>(0, 2, (_, _) => { }, new() { Stride = 4 })).Should().Throw<ArgumentException>();
        bar.Invoking(it => it.AddDoorbellPage<ulong>(0x3FF8, 2, (_, _) => { })).Should().Throw<ArgumentException>("the second is behind the end");
    }

    private static DoorbellPage Page(OddDevice device, Action<int, uint> ring, DoorbellPageOptions options)
    {
        Bar bar = device.Bar(0, BarKind.Memory32, 0x4000);
        bar.ShareMemory(new MemoryArea(0x1000, 0x1000));
        return bar.AddDoorbellPage(0x1000, 4, ring, options);
    }

    private static SharedMemory Map(TestGuest guest)
    {
        using ClientRegion region = guest.Client.GetRegionInfo(0);
        return region.Map(region.Areas[0]);
    }

    private static void Put(SharedMemory memory, long offset, uint value) =>
        Volatile.Write(ref MemoryMarshal.AsRef<uint>(memory.Slice((ulong)offset, sizeof(uint))), value);
}
