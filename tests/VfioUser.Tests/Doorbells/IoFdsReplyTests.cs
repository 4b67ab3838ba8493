using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;
using VfioUser.Testing;

namespace VfioUser.Tests;

/// <summary>The reply to GET_REGION_IO_FDS, byte by byte and descriptor by descriptor.</summary>
public class IoFdsReplyTests
{
    private static void Nothing()
    {
    }

    // BAR 1 and 5 have none, BAR 2 has six, BAR 3 does not exist
    private static OddDevice SixEventFds() => new(d =>
    {
        d.Bar(1, BarKind.Memory32, 0x8000).ShareMemory(new MemoryArea(0x2000, 0x1000));
        Bar bar2 = d.Bar(2, BarKind.Memory32, 0x8000);
        for (long i = 0; i < 6; i++)
            bar2.AddIoEventFd(i * 8, Nothing, size: 8);
        d.Bar(5, BarKind.Memory32, 0x8000);
    });

    [Theory]
    [InlineData(216u, 1u, 2u, 0u)] // flags
    [InlineData(216u, 0u, 2u, 1u)] // count
    [InlineData(15u, 0u, 2u, 0u)] // no room for the fixed part
    [InlineData(0u, 0u, 2u, 0u)]
    [InlineData((1u << 20) + 1, 0u, 2u, 0u)] // more than may be transferred
    [InlineData(uint.MaxValue, 0u, 2u, 0u)]
    [InlineData(512u, 0u, 3u, 0u)] // no such BAR
    [InlineData(512u, 0u, 8u, 0u)] // no VGA
    [InlineData(512u, 0u, 9u, 0u)] // the first index that does not exist
    [InlineData(512u, 0u, 512u, 0u)]
    [InlineData(512u, 0u, uint.MaxValue, 0u)]
    public void A_bad_request_is_EINVAL_and_the_session_continues(uint argsz, uint flags, uint index, uint count)
    {
        using TestGuest guest = TestGuest.Attach(SixEventFds());

        DeviceRegionTests.Refusal(() => Ask(guest, new RegionIoFds(argsz, flags, index, count), out _)).Should().Be(Errno.EINVAL);

        guest.Bar2.GetIoEventFds().Should().HaveCount(6);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(15)]
    public void A_short_request_is_einval(int length)
    {
        using TestGuest guest = TestGuest.Attach(SixEventFds());
        byte[] request = new byte[length];

        DeviceRegionTests.Refusal(() => guest.Client.Call(Command.DeviceGetRegionIoFds, request)).Should().Be(Errno.EINVAL);
    }

    [Fact]
    public void A_descriptor_with_the_request_is_closed()
    {
        using TestGuest guest = TestGuest.Attach(SixEventFds());
        using EventFd stray = new();
        byte[] request = MemoryMarshal.AsBytes(new ReadOnlySpan<RegionIoFds>([new RegionIoFds(512, 0, 2, 0)])).ToArray();

        guest.Client.Call(Command.DeviceGetRegionIoFds, request, default, [stray.Handle]).Dispose();

        // a reply with descriptors leaves before those of the request are closed
        SpinWait.SpinUntil(() => OpenFiles.Descriptors(stray) == 1, Background.Timeout).Should().BeTrue();
    }

    [Theory]
    [InlineData(1u)] // mapped, no eventfds
    [InlineData(5u)] // neither
    [InlineData(7u)] // configuration space
    public void A_region_without_ioeventfds_replies_with_none(uint index)
    {
        using TestGuest guest = TestGuest.Attach(SixEventFds());

        byte[] reply = Ask(guest, new RegionIoFds(512, 0, index, 0), out SafeFileHandle[] fds);

        reply.Should().HaveCount(16);
        WireFormat.Read<RegionIoFds>(reply).Should().Be(new RegionIoFds(16, 0, index, 0));
        fds.Should().BeEmpty();
    }

    [Theory]
    [InlineData(16u)]
    [InlineData(16u + 6 * 40 - 1)]
    public void A_reply_too_small_for_all_has_none_but_their_size(uint argsz)
    {
        using TestGuest guest = TestGuest.Attach(SixEventFds());

        byte[] reply = Ask(guest, new RegionIoFds(argsz, 0, 2, 0), out SafeFileHandle[] fds);

        reply.Should().HaveCount(16);
        WireFormat.Read<RegionIoFds>(reply).Should().Be(new RegionIoFds(16 + 6 * 40, 0, 2, 6));
        fds.Should().BeEmpty();
    }

    [Theory]
    [InlineData(16u + 6 * 40)]
    [InlineData(16u + 10 * 40)]
    [InlineData(1u << 20)]
    public void All_come_in_the_order_of_declaration(uint argsz)
    {
        using TestGuest guest = TestGuest.Attach(SixEventFds());

        byte[] reply = Ask(guest, new RegionIoFds(argsz, 0, 2, 0), out SafeFileHandle[] fds);

        reply.Should().HaveCount(16 + 6 * 40);
        WireFormat.Read<RegionIoFds>(reply).Should().Be(new RegionIoFds(16 + 6 * 40, 0, 2, 6));
        fds.Should().HaveCount(6);
        for (uint i = 0; i < 6; i++)
        {
            Entry<IoEventFd>(reply, (int)i, 40).Should().Be(
                new IoEventFd(i * 8, 8, i, IoFdType.IoEventFd, IoEventFdFlags.None, 0, 0));
        }
        Close(fds);
    }

    [Theory]
    [InlineData(0, null)]
    [InlineData(1, 0xFFUL)]
    [InlineData(2, 0xFFFFUL)]
    [InlineData(4, 0x1234_5678UL)]
    [InlineData(4, 0UL)]
    [InlineData(8, ulong.MaxValue)]
    public void The_reply_has_size_and_datamatch(int size, ulong? datamatch)
    {
        using TestGuest guest = TestGuest.Attach(new OddDevice(d => d.Bar(0, BarKind.Memory32, 0x1000).AddIoEventFd(0x10, Nothing, size, datamatch)));

        byte[] reply = Ask(guest, new RegionIoFds(512, 0, 0, 0), out SafeFileHandle[] fds);

        Entry<IoEventFd>(reply, 0, 40).Should().Be(new IoEventFd(0x10, (ulong)size, 0, IoFdType.IoEventFd,
            datamatch is null ? IoEventFdFlags.None : IoEventFdFlags.Datamatch, 0, datamatch ?? 0));
        Close(fds);
    }

    [Fact]
    public void Ports_have_the_pio_flag()
    {
        using TestGuest guest = TestGuest.Attach(new OddDevice(d => d.Bar(0, BarKind.Io, 0x20).AddIoEventFd(0x10, Nothing, 2, 1)));

        byte[] reply = Ask(guest, new RegionIoFds(512, 0, 0, 0), out SafeFileHandle[] fds);

        Entry<IoEventFd>(reply, 0, 40).Flags.Should().Be(IoEventFdFlags.Pio | IoEventFdFlags.Datamatch);
        Close(fds);
    }

    [Fact]
    public void A_shared_descriptor_is_sent_once()
    {
        OddDevice device = new(d =>
        {
            Bar bar = d.Bar(0, BarKind.Memory32, 0x1000);
            RegionIoEventFd shared = bar.AddIoEventFd(0, Nothing);
            bar.AddIoEventFd(8, Nothing);
            shared.AddSubRegion(bar, 16);
            shared.AddSubRegion(bar, 16, size: 8);
            shared.AddSubRegion(d.Bar(2, BarKind.Io, 0x20), 4, size: 2);
        });
        using TestGuest guest = TestGuest.Attach(device);

        using ClientIoFds bar0 = guest.Client.GetRegionIoFds(0);
        using ClientIoFds bar2 = guest.Client.GetRegionIoFds(2);

        bar0.Fds.Should().HaveCount(2);
        bar0.Should().HaveCount(4);
        bar0.Select(entry => bar0.Fds.ToList().IndexOf(entry.Fd!)).Should().Equal(0, 1, 0, 0);
        using EventFd first = new(FileCalls.Duplicate(bar2.Single().Fd!)); // the same one, in another region
        first.Signal().Should().BeTrue();
    }

    [Fact]
    public void A_second_request_gets_the_same_eventfds()
    {
        int rings = 0;
        RegionIoEventFd? ioEventFd = null;
        using TestGuest guest = TestGuest.Attach(new OddDevice(d => ioEventFd = d.Bar(0, BarKind.Memory32, 0x1000)
            .AddIoEventFd(0, () => rings++, new IoEventFdOptions { Mode = NotificationMode.Polling })));
        using ClientIoFds first = guest.Client.GetRegionIoFds(0);
        using ClientIoFds second = guest.Client.GetRegionIoFds(0);
        using EventFd one = new(FileCalls.Duplicate(first[0].Fd!));
        using EventFd other = new(FileCalls.Duplicate(second[0].Fd!));

        one.Signal();
        other.Signal();

        ioEventFd!.Poll().Should().BeTrue();
        ioEventFd.Poll().Should().BeFalse();
        rings.Should().Be(1);
    }

    [Fact]
    public void Beyond_what_one_message_can_carry_entries_are_left_out()
    {
        int rings = 0;
        OddDevice device = new(d =>
        {
            Bar bar = d.Bar(0, BarKind.Memory32, 0x1000);
            RegionIoEventFd first = bar.AddIoEventFd(0, Nothing);
            for (long i = 1; i < 20; i++)
                bar.AddIoEventFd(i * 4, () => rings++);
            first.AddSubRegion(bar, 0x800);
        });
        using TestGuest guest = TestGuest.Attach(device);

        using ClientIoFds ioFds = guest.Client.GetRegionIoFds(0);
        guest.Bar0.Write(17 * 4, 1u);

        ioFds.Fds.Should().HaveCount(16);
        ioFds.Select(entry => entry.Offset).Should().Equal([.. Enumerable.Range(0, 16).Select(i => (ulong)i * 4), 0x800]);
        rings.Should().Be(1); // the others ring by message
    }

    [Fact]
    public void An_ioregionfd_is_described()
    {
        using SharedMemory file = SharedMemory.Create(0x1000);
        OddDevice device = new(d =>
        {
            Bar bar = d.Bar(0, BarKind.Memory32, 0x1000);
            SafeFileHandle fd = FileCalls.Duplicate(file.File);
            bar.AddIoRegionFd(0x100, 0x80, fd, userData: 0x1122_3344_5566_7788);
            bar.AddIoRegionFd(0x180, 0, fd, postedWrites: true);
            bar.AddIoEventFd(0x10, Nothing);
        });
        using TestGuest guest = TestGuest.Attach(device);

        byte[] reply = Ask(guest, new RegionIoFds(512, 0, 0, 0), out SafeFileHandle[] fds);

        fds.Should().HaveCount(2);
        Entry<IoRegionFd>(reply, 0, 40).Should().Be(new IoRegionFd(0x100, 0x80, 0, IoFdType.IoRegionFd, IoRegionFdFlags.None, 0, 0x1122_3344_5566_7788));
        Entry<IoRegionFd>(reply, 1, 40).Should().Be(new IoRegionFd(0x180, 0, 0, IoFdType.IoRegionFd, IoRegionFdFlags.PostedWrites, 0, 0));
        Entry<IoEventFd>(reply, 2, 40).FdIndex.Should().Be(1);
        Close(fds);
        using ClientIoFds parsed = guest.Client.GetRegionIoFds(0);
        parsed[0].Data.Should().Be(0x1122_3344_5566_7788);
        parsed[0].Datamatch.Should().BeNull();
        guest.Bar0.GetIoEventFds().Should().ContainSingle();
    }

    [Fact]
    public void With_a_shadow_every_entry_has_48_bytes()
    {
        using SharedMemory shadow = SharedMemory.Create(0x1000);
        OddDevice device = new(d =>
        {
            Bar bar = d.Bar(0, BarKind.Memory32, 0x1000);
            bar.AddIoEventFd(8, Nothing, new IoEventFdOptions { Size = 8, Shadow = shadow, ShadowOffset = 0x10 });
            bar.AddIoEventFd(0, Nothing, datamatch: 5);
            bar.AddIoEventFd(16, Nothing, new IoEventFdOptions { Shadow = shadow, ShadowOffset = 0x18 });
        });
        using TestGuest guest = TestGuest.Attach(device);

        byte[] reply = Ask(guest, new RegionIoFds(16 + 3 * 48, 0, 0, 0), out SafeFileHandle[] fds);

        WireFormat.Read<RegionIoFds>(reply).Should().Be(new RegionIoFds(16 + 3 * 48, 0, 0, 3));
        fds.Should().HaveCount(4); // three eventfds, and the shadow once
        Entry<IoEventFdShadow>(reply, 0, 48).Should().Be(new IoEventFdShadow(8, 8, 0, IoFdType.IoEventFdShadow, IoEventFdFlags.None, 1, 0x10, 0));
        Entry<IoEventFdShadow>(reply, 1, 48).Should().Be(new IoEventFdShadow(0, 4, 2, IoFdType.IoEventFd, IoEventFdFlags.Datamatch, 0, 0, 5));
        Entry<IoEventFdShadow>(reply, 2, 48).Should().Be(new IoEventFdShadow(16, 4, 3, IoFdType.IoEventFdShadow, IoEventFdFlags.None, 1, 0x18, 0));
        Close(fds);
        using ClientIoFds parsed = guest.Client.GetRegionIoFds(0);
        parsed[1].Datamatch.Should().Be(5);
        parsed[2].ShadowOffset.Should().Be(0x18);
        parsed[2].ShadowFd.Should().BeSameAs(parsed[0].ShadowFd);
    }

    private static T Entry<T>(byte[] reply, int index, int size)
        where T : unmanaged => WireFormat.Read<T>(reply.AsSpan(16 + index * size, size));

    private static void Close(SafeFileHandle[] fds) => Array.ForEach(fds, fd => fd.Dispose());

    private static byte[] Ask(TestGuest guest, RegionIoFds request, out SafeFileHandle[] fds)
    {
        using Reply reply = guest.Client.Call(Command.DeviceGetRegionIoFds, MemoryMarshal.AsBytes(new ReadOnlySpan<RegionIoFds>(in request)));
        fds = new SafeFileHandle[reply.Fds?.Count ?? 0];
        for (int i = 0; i < fds.Length; i++)
            fds[i] = reply.Fds!.Take(i);
        return reply.Payload.ToArray();
    }
}
