using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;
using VfioUser.Tests.Quiesce;
using VfioUser.Tests.Serving;

namespace VfioUser.Tests.Polling;

/// <summary>Memory that a client takes away while the very thread that serves it has a lease on it.</summary>
public sealed class UnmappingPollerTests
{
    private const ulong Page = 0x1000;
    private const ulong At = 0x10000;
    private const ulong Other = 0x20000;
    private const int UnmapWaits = 12;
    private const int UnmapAbandoned = 13;

    private readonly BlankDevice _device = new(device => device.EnableMigration());

    [Theory]
    [InlineData("one")]
    [InlineData("range")]
    [InlineData("all")]
    [InlineData("bitmap")]
    public void An_unmap_and_the_commands_after_it_wait_until_the_lease_ends(string what)
    {
        using PollerRig rig = new(served: _device);
        using RawClient client = Attach(rig);
        DmaLease lease = Lease();
        int told = 0;
        _device.WhenUnmapping = _ => told++;

        ushort unmap = Say(client, what);
        ushort behind = client.Say(Command.DeviceGetInfo, new DeviceInfo(DeviceInfo.WireSize, 0, 0, 0));
        rig.Until(PollEvents.Unmapping).Commands.Should().Be(0);
        rig.UntilIdle().Should().Be(0, "there is nothing to do before the lease is over");

        for (int i = 0; i < 3; i++)
            rig.Poller.Process().Should().Be(new PollResult(PollEvents.Unmapping, 0));
        lease.TryWrite(0, [1]).Should().BeTrue();
        _device.Dma.TryLease(new Iova(At), 1, writable: false, out _).Should().BeFalse();
        lease.Dispose();

        rig.Until(PollEvents.Commands).Should().Be(new PollResult(PollEvents.Commands, 2));
        RawReply reply = client.HearReply(unmap, Command.DmaUnmap);
        reply.Header.Error.Should().Be(0u);
        if (what is "bitmap")
            reply.Payload[^8].Should().Be(1, "what was written at the very end is reported");
        client.HearReply(behind, Command.DeviceGetInfo).ShouldBeGranted<DeviceInfo>();
        told.Should().Be(what is "one" or "bitmap" ? 1 : 2, "the device hears of each region once");
        rig.IsReady.Should().BeFalse();
    }

    [Fact]
    public void A_lease_that_another_thread_gives_back_makes_the_descriptor_readable()
    {
        using PollerRig rig = new(served: _device);
        using RawClient client = Attach(rig);
        DmaLease lease = Lease();
        ushort unmap = Say(client, "one");
        rig.Until(PollEvents.Unmapping);

        Task given = Wait.Start(lease.Dispose);

        rig.Until(PollEvents.Commands);
        client.HearReply(unmap, Command.DmaUnmap).Header.Error.Should().Be(0u);
        given.ShouldGive();
    }

    [Fact]
    public void Several_leases_are_all_waited_for()
    {
        using PollerRig rig = new(served: _device);
        using RawClient client = Attach(rig);
        DmaLease first = Lease();
        DmaLease second = Lease(Other);
        ushort unmap = Say(client, "all");
        rig.Until(PollEvents.Unmapping);

        first.Dispose();
        rig.UntilIdle().Should().Be(0);
        second.Dispose();

        rig.Until(PollEvents.Commands);
        client.HearReply(unmap, Command.DmaUnmap).Header.Error.Should().Be(0u);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("one")]
    [InlineData("all")]
    public void A_client_that_disconnects_is_detached_after_the_last_lease_and_the_next_one_attaches(string? pending)
    {
        using PollerRig rig = new(served: _device);
        DmaLease lease;
        DmaLease other;
        bool detached = false;
        _device.WhenDetached = () => detached = true;
        using (RawClient client = Attach(rig))
        {
            lease = Lease();
            other = Lease(Other);
            if (pending is not null)
            {
                Say(client, pending);
                rig.Until(PollEvents.Unmapping);
            }
        }

        rig.UntilIdle().Should().Be(0);
        rig.Poller.Process().Should().Be(new PollResult(PollEvents.Unmapping, 0));
        _device.Dma.Regions.Should().BeEmpty("all of its memory is closed already");
        lease.Dispose();
        rig.UntilIdle();
        (detached, rig.Poller.State).Should().Be((false, ServingState.Attached), "one lease is left");
        other.Dispose();

        rig.Until(PollEvents.Detached).Events.Should().Be(PollEvents.Detached);
        detached.Should().BeTrue();
        using RawClient next = Attach(rig);
        _device.Dma.Regions.Should().HaveCount(2);
    }

    [Theory]
    [InlineData("serving")]
    [InlineData("pending")]
    [InlineData("leaving")]
    public void Disposing_abandons_a_lease_that_is_never_disposed(string state)
    {
        using PollerRig rig = new(served: _device);
        DmaLease lease;
        using (RawClient client = Attach(rig))
        {
            lease = Lease();
            if (state is "pending")
            {
                Say(client, "one");
                rig.Until(PollEvents.Unmapping);
            }
            if (state is not "leaving")
                Wait.Start(rig.Poller.Dispose).ShouldEnd();
        }
        if (state is "leaving")
        {
            rig.Until(PollEvents.Unmapping);
            Wait.Start(rig.Poller.Dispose).ShouldEnd();
        }

        rig.Poller.State.Should().Be(ServingState.Ended);
        rig.Log.Has(UnmapAbandoned).Should().BeTrue();
        lease.TryWrite(0, [1]).Should().BeTrue("its memory is there as long as it is");
        lease.Dispose();
    }

    [Fact]
    public void A_device_that_throws_at_a_map_and_keeps_a_lease_is_waited_for_too()
    {
        using PollerRig rig = new(served: _device);
        using RawClient client = Attach(rig);
        DmaLease lease = default;
        _device.WhenMapped = region =>
        {
            _device.Dma.TryLease(region.Address, 1, writable: false, out lease);
            throw new InvalidOperationException("cannot");
        };

        ushort map = client.Say(Command.DmaMap, QuiesceRig.Map(0x30000));
        rig.Until(PollEvents.Unmapping);
        rig.UntilIdle().Should().Be(0);
        lease.Dispose();

        rig.Until(PollEvents.Commands);
        client.HearReply(map, Command.DmaMap).Header.Error.Should().Be((uint)Errno.EIO);
        _device.Dma.Find(new Iova(0x30000)).Should().BeNull();
        _device.WhenMapped = null;
        Map(rig, client, 0x30000);
    }

    [Fact]
    public void An_unmap_that_waits_for_long_is_logged()
    {
        using PollerRig rig = new(served: _device);
        using RawClient client = Attach(rig);
        using DmaLease lease = Lease();
        Say(client, "all");

        rig.Until(PollEvents.Unmapping);
        while (!rig.Log.Has(UnmapWaits))
            rig.Until(PollEvents.Unmapping);
    }

    [Fact]
    public void A_pending_quiesce_is_reported_as_well()
    {
        QuiescingDevice device = new();
        using PollerRig rig = new(served: device);
        using RawClient client = rig.Attach();
        using LateAnswer answer = device.AnswerLater();

        client.Say(Command.DeviceReset);

        rig.Until(PollEvents.Quiescing).Commands.Should().Be(0);
        rig.Poller.Process().Should().Be(new PollResult(PollEvents.Quiescing, 0));
        answer.Quiesced();
        rig.Until(PollEvents.Commands).Should().Be(new PollResult(PollEvents.Commands, 1));
        device.Answer = (_, _) => new(true);
    }

    [Fact]
    public void Devices_that_share_a_thread_may_hold_each_others_memory()
    {
        ProbeDevice one = new();
        ProbeDevice two = new();
        using VfioUserHost host = new(new VfioUserHostOptions { Threads = 1 });
        HostedDevice first = host.Add(one, VfioUserServer.BindAbstract($"vfio-user-test-{Guid.NewGuid():N}"));
        HostedDevice second = host.Add(two, VfioUserServer.BindAbstract($"vfio-user-test-{Guid.NewGuid():N}"));
        using RawClient client = RawClient.Connect(first.Address);
        using RawClient neighbour = RawClient.Connect(second.Address);
        Served.Negotiate(client);
        Served.Negotiate(neighbour);
        client.Ask(Command.DmaMap, QuiesceRig.Map(At)).ShouldBeGranted();
        one.Dma.TryLease(new Iova(At), 1, writable: false, out DmaLease lease).Should().BeTrue();
        two.Written = (_, _) => lease.Dispose();

        ushort unmap = client.Say(Command.DmaUnmap, new DmaUnmap(DmaUnmap.WireSize, 0, At, Page));
        one.ShouldTell($"unmapping {new Iova(At)}");
        neighbour.Ask(Command.RegionWrite, RawClient.Bytes(new RegionAccess(0, ProbeDevice.Plain, 4), new byte[4])).ShouldBeGranted<RegionAccess>();

        client.HearReply(unmap, Command.DmaUnmap).ShouldBeGranted<DmaUnmap>();
    }

    private DmaLease Lease(ulong address = At)
    {
        _device.Dma.TryLease(new Iova(address), Page, writable: true, out DmaLease lease).Should().BeTrue();
        return lease;
    }

    private static RawClient Attach(PollerRig rig)
    {
        RawClient client = rig.Attach();
        Map(rig, client, At);
        Map(rig, client, Other);
        byte[] start = RawClient.Bytes(new DmaLoggingControl(Page, 0, 0));
        ushort id = client.Say(Command.DeviceFeature, RawClient.Bytes(new DeviceFeature(
            (uint)(DeviceFeature.WireSize + start.Length), DeviceFeatureFlags.Set | (DeviceFeatureFlags)DeviceFeatureId.DmaLoggingStart), start));
        rig.Until(PollEvents.Commands);
        client.HearReply(id, Command.DeviceFeature).Header.Error.Should().Be(0u);
        return client;
    }

    private static void Map(PollerRig rig, RawClient client, ulong address)
    {
        using SafeFileHandle file = Files.Sealed(Page);
        ushort id = client.Say(Command.DmaMap, RawClient.Bytes(QuiesceRig.Map(address)), MessageFlags.Command, file);
        rig.Until(PollEvents.Commands);
        client.HearReply(id, Command.DmaMap).ShouldBeGranted();
    }

    private static ushort Say(RawClient client, string what) => what switch
    {
        "one" => client.Say(Command.DmaUnmap, new DmaUnmap(DmaUnmap.WireSize, 0, At, Page)),
        "range" => client.Say(Command.DmaUnmap, new DmaUnmap(DmaUnmap.WireSize, 0, 0, 0x100000)),
        "all" => client.Say(Command.DmaUnmap, new DmaUnmap(DmaUnmap.WireSize, DmaUnmapFlags.All, 0, 0)),
        _ => client.Say(Command.DmaUnmap, RawClient.Bytes(
            new DmaUnmap(DmaUnmap.WireSize + DirtyBitmap.WireSize + sizeof(ulong), DmaUnmapFlags.GetDirtyBitmap, At, Page),
            RawClient.Bytes(new DirtyBitmap(Page, sizeof(ulong))))),
    };
}
