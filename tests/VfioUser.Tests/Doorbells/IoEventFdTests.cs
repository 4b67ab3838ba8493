using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;
using VfioUser.Testing;

namespace VfioUser.Tests;

public class IoEventFdTests
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(30);

    [Fact]
    public void The_same_handler_is_called_by_eventfd_and_by_message()
    {
        using SemaphoreSlim rung = new(0);
        using TestGuest guest = TestGuest.Attach(new OddDevice(d => d.Bar(0, BarKind.Memory32, 0x1000).AddIoEventFd(0x10, () => rung.Release())));

        guest.Bar0.Ring(0x10, 1u).Should().BeTrue();
        rung.Wait(Timeout).Should().BeTrue();
        guest.Bar0.Write(0x10, 1u);

        rung.CurrentCount.Should().Be(1); // handled when the write returned
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Eventfd_of_the_device_can_be_waited_for_whatever_brings_the_write(bool byMessage)
    {
        int rung = 0;
        using EventFd own = new();
        RegionIoEventFd? ioEventFd = null;
        OddDevice device = new(d => ioEventFd = d.Bar(0, BarKind.Memory32, 0x1000)
            .AddIoEventFd(0x10, () => rung++, new() { Mode = NotificationMode.Polling, EventFd = own }));
        for (int client = 0; client < 2; client++)
        {
            using TestGuest guest = TestGuest.Attach(device);
            own.Wait(TimeSpan.Zero).Should().BeFalse("nothing is left of an earlier client");

            if (byMessage)
                guest.Bar0.Write(0x10, 1u);
            else
                guest.Bar0.Ring(0x10, 1u).Should().BeTrue();

            own.Wait(Timeout).Should().BeTrue();
            ioEventFd!.Poll().Should().BeTrue();
            ioEventFd.Poll().Should().BeFalse();
            guest.Bar0.Write(0x10, 1u);
        }

        rung.Should().Be(2);
        own.Signal().Should().BeTrue("the device owns it");
    }

    [Fact]
    public void Handler_with_a_thread_of_its_own_waits_for_no_other()
    {
        using ManualResetEventSlim held = new(), released = new(), rung = new();
        string? thread = null;
        using TestGuest guest = TestGuest.Attach(new OddDevice(d =>
        {
            Bar bar = d.Bar(0, BarKind.Memory32, 0x1000);
            bar.AddIoEventFd(0x10, () => { held.Set(); released.Wait(Timeout); });
            bar.AddIoEventFd(0x20, () => { thread = Thread.CurrentThread.Name; rung.Set(); }, new() { OwnThread = true });
        }));

        guest.Bar0.Ring(0x10, 1u);
        held.Wait(Timeout).Should().BeTrue();
        guest.Bar0.Ring(0x20, 1u);

        rung.Wait(Timeout).Should().BeTrue();
        thread.Should().Be("vfio-user ioeventfds");
        released.Set();
    }

    [Theory]
    [InlineData(0x10, 4, true)]
    [InlineData(0x10, 2, false)]
    [InlineData(0x10, 8, false)]
    [InlineData(0x0E, 4, false)]
    [InlineData(0x12, 2, false)]
    [InlineData(0x20, 1, true)] // any width
    [InlineData(0x20, 8, true)]
    [InlineData(0x20, 3, false)] // no width that a processor has
    [InlineData(0x21, 1, false)]
    public void Only_writes_of_its_place_and_width_ring(long offset, int length, bool rings)
    {
        int rung = 0;
        Recorder recorder = new();
        OddDevice device = new(d =>
        {
            Bar bar = d.Bar(0, BarKind.Memory32, 0x1000, recorder);
            bar.AddIoEventFd(0x10, () => rung++);
            bar.AddIoEventFd(0x20, () => rung++, size: 0);
        });
        using TestGuest guest = TestGuest.Attach(device);

        guest.Bar0.Write(offset, new byte[length]);

        rung.Should().Be(rings ? 1 : 0);
        recorder.Seen.Should().HaveCount(rings ? 0 : 1); // the others are the handler's
    }

    [Fact]
    public void Datamatch_distinguishes_rings_at_one_offset()
    {
        List<uint> rung = [];
        Recorder recorder = new();
        OddDevice device = new(d =>
        {
            Bar bar = d.Bar(0, BarKind.Memory32, 0x1000, recorder);
            for (uint queue = 0; queue < 3; queue++)
            {
                uint number = queue;
                bar.AddIoEventFd(0x10, () => rung.Add(number), size: 2, datamatch: queue);
            }
        });
        using TestGuest guest = TestGuest.Attach(device);

        guest.Bar0.Write(0x10, (ushort)2);
        guest.Bar0.Write(0x10, (ushort)0);
        guest.Bar0.Write(0x10, (ushort)3);

        rung.Should().Equal(2, 0);
        recorder.Seen.Should().Equal("write 10 0300");
        guest.Bar0.Read<ushort>(0x10).Should().Be(0x1110); // reads are not taken away
    }

    [Fact]
    public void A_message_to_a_mapped_doorbell_is_stored_and_rings()
    {
        int rung = 0;
        RegionMemory? memory = null;
        OddDevice device = new(d =>
        {
            Bar bar = d.Bar(0, BarKind.Memory32, 0x1000);
            memory = bar.ShareMemory();
            bar.AddIoEventFd(0x40, () => rung++);
        });
        using TestGuest guest = TestGuest.Attach(device);

        guest.Bar0.Write(0x40, 0xCAFEu);

        rung.Should().Be(1);
        memory!.Span(0x40, 2).ToArray().Should().Equal(0xFE, 0xCA);
        guest.Bar0.Read<uint>(0x40).Should().Be(0xCAFE);
        guest.Bar0.GetIoEventFds().Should().ContainSingle(); // both ways are offered
        using ClientRegion region = guest.Client.GetRegionInfo(0);
        region.Areas.Should().ContainSingle();
    }

    [Fact]
    public void A_polled_handler_runs_in_poll_only()
    {
        List<int> threads = [];
        RegionIoEventFd? ioEventFd = null;
        using TestGuest guest = TestGuest.Attach(new OddDevice(d => ioEventFd = d.Bar(0, BarKind.Memory32, 0x1000)
            .AddIoEventFd(0, () => threads.Add(Environment.CurrentManagedThreadId), new IoEventFdOptions { Mode = NotificationMode.Polling })));

        ioEventFd!.Poll().Should().BeFalse();
        guest.Bar0.Write(0, 1u);
        threads.Should().BeEmpty();
        ioEventFd.Poll().Should().BeTrue();
        guest.Bar0.Ring(0, 1u).Should().BeTrue();
        guest.Bar0.Ring(0, 1u).Should().BeTrue();
        ioEventFd.Poll().Should().BeTrue();
        ioEventFd.Poll().Should().BeFalse();

        threads.Should().Equal(Environment.CurrentManagedThreadId, Environment.CurrentManagedThreadId);
    }

    [Fact]
    public void A_polled_handlers_exception_reaches_the_hook_and_not_the_poller()
    {
        List<DeviceExceptionContext> threw = [];
        RegionIoEventFd? ioEventFd = null;
        OddDevice device = new(d => ioEventFd = d.Bar(0, BarKind.Memory32, 0x1000).AddIoEventFd(
            0, () => throw new InvalidOperationException("bang"), new IoEventFdOptions { Mode = NotificationMode.Polling }));
        using TestGuest guest = TestGuest.Attach(device, new TestGuestOptions { Server = new VfioUserServerOptions { OnDeviceException = threw.Add } });

        guest.Bar0.Write(0, 1u);

        ioEventFd!.Poll().Should().BeTrue();
        (threw.Should().ContainSingle().Which.Callback, threw[0].Command).Should().Be((DeviceCallback.IoEventFd, null));
    }

    [Fact]
    public void A_watched_handlers_exception_does_not_end_the_watching()
    {
        using SemaphoreSlim rung = new(0);
        using SemaphoreSlim threw = new(0);
        int calls = 0;
        OddDevice device = new(d => d.Bar(0, BarKind.Memory32, 0x1000).AddIoEventFd(0, () =>
        {
            if (calls++ == 0)
                throw new InvalidOperationException("bang");
            rung.Release();
        }));
        using TestGuest guest = TestGuest.Attach(device, new TestGuestOptions { Server = new VfioUserServerOptions { OnDeviceException = _ => threw.Release() } });

        guest.Bar0.Ring(0, 1u);
        threw.Wait(Timeout).Should().BeTrue();
        guest.Bar0.Ring(0, 1u);

        rung.Wait(Timeout).Should().BeTrue();
    }

    [Fact]
    public void An_exception_in_a_ring_by_message_is_eio()
    {
        OddDevice device = new(d => d.Bar(0, BarKind.Memory32, 0x1000).AddIoEventFd(0, () => throw new InvalidOperationException("bang")));
        using TestGuest guest = TestGuest.Attach(device);

        DeviceRegionTests.Refusal(() => guest.Bar0.Write(0, 1u)).Should().Be(Errno.EIO);
        guest.Bar0.Read<uint>(0).Should().Be(0);
    }

    [Fact]
    public void A_reset_discards_earlier_signals()
    {
        int rung = 0;
        RegionIoEventFd? ioEventFd = null;
        using TestGuest guest = TestGuest.Attach(new OddDevice(d => ioEventFd = d.Bar(0, BarKind.Memory32, 0x1000)
            .AddIoEventFd(0, () => rung++, new IoEventFdOptions { Mode = NotificationMode.Polling })));
        guest.Bar0.Write(0, 1u);
        guest.Bar0.Ring(0, 1u);

        guest.Reset();

        ioEventFd!.Poll().Should().BeFalse();
        guest.Bar0.Ring(0, 1u);
        ioEventFd.Poll().Should().BeTrue();
        rung.Should().Be(1);
    }

    [Fact]
    public async Task A_reset_waits_for_the_handler_that_runs()
    {
        using ManualResetEventSlim entered = new();
        using ManualResetEventSlim leave = new();
        bool left = false;
        OddDevice device = new(d => d.Bar(0, BarKind.Memory32, 0x1000).AddIoEventFd(0, () =>
        {
            entered.Set();
            leave.Wait(Timeout);
            Volatile.Write(ref left, true);
        }));
        using TestGuest guest = TestGuest.Attach(device);
        guest.Bar0.Ring(0, 1u);
        entered.Wait(Timeout).Should().BeTrue();

        Task<bool> reset = Task.Run(() =>
        {
            guest.Reset();
            return Volatile.Read(ref left);
        });
        leave.Set();

        (await reset.WaitAsync(Timeout)).Should().BeTrue();
    }

    [Fact]
    public void A_client_that_has_left_cannot_ring_for_the_next_one()
    {
        RegionIoEventFd? ioEventFd = null;
        OddDevice device = new(d => ioEventFd = d.Bar(0, BarKind.Memory32, 0x1000)
            .AddIoEventFd(0, () => { }, new IoEventFdOptions { Mode = NotificationMode.Polling }));
        TestGuest first = TestGuest.Attach(device);
        ClientIoFds kept = first.Client.GetRegionIoFds(0);
        using EventFd old = new(FileCalls.Duplicate(kept[0].Fd!));
        kept.Dispose();
        first.Dispose();
        using TestGuest second = TestGuest.Attach(device);

        old.Signal();
        ioEventFd!.Poll().Should().BeFalse();

        second.Bar0.Ring(0, 1u);
        ioEventFd.Poll().Should().BeTrue();
    }

    [Fact]
    public void A_client_that_empties_a_blocking_eventfd_blocks_no_thread_of_the_server()
    {
        RegionIoEventFd? ioEventFd = null;
        using TestGuest guest = TestGuest.Attach(new OddDevice(d => ioEventFd = d.Bar(0, BarKind.Memory32, 0x1000)
            .AddIoEventFd(0, () => { }, new IoEventFdOptions { Mode = NotificationMode.Polling })));
        using ClientIoFds ioFds = guest.Client.GetRegionIoFds(0);
        Libc.Fcntl(ioFds[0].Fd!, Libc.FSetFl, 0).Should().Be(0);

        ioEventFd!.Poll().Should().BeFalse(); // a plain read would wait for ever
    }

    [Fact]
    public void The_value_is_found_in_the_shadow()
    {
        using SharedMemory shadow = SharedMemory.Create(0x1000);
        RegionIoEventFd? ioEventFd = null;
        OddDevice device = new(d => ioEventFd = d.Bar(0, BarKind.Memory32, 0x1000).AddIoEventFd(8, () => { },
            new IoEventFdOptions { Size = 8, Shadow = shadow, ShadowOffset = 0x10, Mode = NotificationMode.Polling }));
        using TestGuest guest = TestGuest.Attach(device);

        guest.Bar0.Ring(8, 0xDEAD_BEEFUL).Should().BeTrue();
        ioEventFd!.Poll().Should().BeTrue();
        shadow.Slice(0x10, 8).ToArray().Should().Equal(0xEF, 0xBE, 0xAD, 0xDE, 0, 0, 0, 0);
        guest.Bar0.Write(8, 0x0102_0304_0506_0708UL);

        ioEventFd.Poll().Should().BeTrue();
        shadow.Slice(0x10, 8).ToArray().Should().Equal(8, 7, 6, 5, 4, 3, 2, 1);
    }

    [Fact]
    public void An_eventfd_exists_only_while_a_client_has_requested_it()
    {
        RegionIoEventFd? ioEventFd = null;
        OddDevice device = new(d => ioEventFd = d.Bar(0, BarKind.Memory32, 0x1000).AddIoEventFd(0, () => { }));
        TestGuest guest = TestGuest.Attach(device);

        ioEventFd!.Handle.Should().BeNull();
        guest.Bar0.GetIoEventFds().Should().ContainSingle();
        System.Runtime.InteropServices.SafeHandle handle = ioEventFd.Handle!;
        guest.Dispose();

        ioEventFd.Handle.Should().BeNull();
        handle.IsClosed.Should().BeTrue();
    }

    [Theory]
    [InlineData(0x1000, 4, null)] // beyond the end
    [InlineData(0xFFE, 4, null)]
    [InlineData(0x1000, 0, null)]
    [InlineData(-1, 8, null)]
    [InlineData(0x800, 4096, null)]
    [InlineData(0, 3, null)]
    [InlineData(0, -1, null)]
    [InlineData(0, 0, 1UL)] // a value without a width
    [InlineData(0, 1, 0x100UL)] // a value that cannot be written
    [InlineData(0, 4, 0x1_0000_0000UL)]
    [InlineData(0x20, 4, null)] // taken
    [InlineData(0x20, 4, 7UL)]
    [InlineData(0x20, 0, null)]
    public void Doorbells_that_could_never_be_written_or_exist_already_are_refused(long offset, int size, ulong? datamatch)
    {
        OddDevice device = new(_ => { });
        Bar bar = device.Bar(0, BarKind.Memory32, 0x1000);
        bar.AddIoEventFd(0x20, () => { });

        Action add = () => bar.AddIoEventFd(offset, () => { }, size, datamatch);

        add.Should().Throw<ArgumentException>();
        bar.IoFds.Should().ContainSingle();
    }

    [Fact]
    public void Roms_foreign_regions_bad_shadows_and_served_devices_are_refused()
    {
        using SharedMemory shadow = SharedMemory.Create(0x1000);
        OddDevice device = new(_ => { });
        Bar bar = device.Bar(0, BarKind.Memory32, 0x1000);
        Region rom = device.OwnRom([1, 2, 3]);
        RegionIoEventFd ioEventFd = bar.AddIoEventFd(0x20, () => { });

        FluentActions.Invoking(() => rom.AddIoEventFd(0, () => { })).Should().Throw<ArgumentException>();
        FluentActions.Invoking(() => new OddDevice(_ => { }).Bar(0, BarKind.Memory32, 0x1000).AddIoEventFd(0, () => { }).AddSubRegion(bar, 0)).Should().Throw<ArgumentException>();
        FluentActions.Invoking(() => bar.AddIoEventFd(0, () => { }, new IoEventFdOptions { Shadow = shadow, ShadowOffset = 4 })).Should().Throw<ArgumentException>();
        FluentActions.Invoking(() => bar.AddIoEventFd(0, () => { }, new IoEventFdOptions { Shadow = shadow, ShadowOffset = 0x1000 })).Should().Throw<ArgumentException>();
        using TestGuest guest = TestGuest.Attach(device);
        FluentActions.Invoking(() => ioEventFd.AddSubRegion(bar, 0)).Should().Throw<InvalidOperationException>();
        FluentActions.Invoking(() => bar.AddIoRegionFd(0, 4, FileCalls.Duplicate(shadow.File))).Should().Throw<InvalidOperationException>();
    }
}
