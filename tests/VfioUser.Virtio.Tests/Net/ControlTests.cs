using System.Net.NetworkInformation;
using VfioUser.Network;

namespace VfioUser.Virtio.Tests;

/// <summary>Commands of the driver, features, link and migration of a network device.</summary>
public sealed class ControlTests
{
    private const byte Ok = 0;
    private const byte Error = 1;
    private static readonly byte[] Other = [2, 0, 0, 0, 0, 7];
    private static readonly byte[] Group = [1, 0, 0x5E, 0, 0, 7];

    [Fact]
    public void Configuration_tells_address_queues_speed_and_MTU()
    {
        using NetGuest guest = new(options: new() { Address = NetGuest.Own, QueuePairs = 4, Mtu = 9000, Speed = 25_000 });

        NetConfig config = guest.Driver.ReadConfig<NetConfig>();

        config.Mac.Should().Be(0x5254_00AA_BB01);
        (config.Status, config.MaxPairs, config.Mtu, config.Speed, config.Duplex).Should().Be(((ushort)1, (ushort)4, (ushort)9000, 25_000u, (byte)1));
        guest.Driver.ReadConfig<ulong>().Should().Be(0x0001_01BB_AA00_5452);
        guest.Device.Address.Should().Be(NetGuest.Own);
    }

    [Fact]
    public void Only_what_the_driver_asks_for_comes()
    {
        using NetGuest guest = new();
        byte[][] all = [FrameTo(NetGuest.Own.GetAddressBytes()), FrameTo(Other), FrameTo(Group), FrameTo([0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF])];

        Passing(guest, all).Should().Equal([0, 1, 2, 3], "it is promiscuous until the driver has said");
        guest.Command([0, 0, 0]).Should().Be(Ok);
        Passing(guest, all).Should().Equal(0, 3);
        guest.Command([0, 1, 1]).Should().Be(Ok);
        Passing(guest, all).Should().Equal(0, 2, 3);
        guest.Command([0, 1, 0]).Should().Be(Ok);
        guest.Command([1, 0, 1, 0, 0, 0, .. Other, 1, 0, 0, 0, .. Group]).Should().Be(Ok);
        Passing(guest, all).Should().Equal(0, 1, 2, 3);
        guest.Command([0, 3, 1]).Should().Be(Ok);
        Passing(guest, all).Should().Equal(0, 1, 3);
        guest.Command([0, 5, 1]).Should().Be(Ok);
        Passing(guest, all).Should().Equal(0, 1);
        guest.Command([0, 4, 1]).Should().Be(Ok);
        Passing(guest, all).Should().BeEmpty();
        guest.Command([0, 0, 1]).Should().Be(Ok);
        Passing(guest, all).Should().Equal(0, 1, 2, 3);
    }

    [Fact]
    public void Tables_longer_than_are_kept_let_all_of_their_kind_pass()
    {
        using NetGuest guest = new();
        guest.Command([0, 0, 0]);
        byte[] table = [.. Enumerable.Range(0, 65).SelectMany(i => (byte[])[1, 0, 0x5E, 1, 1, (byte)i])];

        guest.Command([1, 0, 0, 0, 0, 0, 65, 0, 0, 0, .. table]).Should().Be(Ok);

        Passing(guest, [FrameTo(Group), FrameTo(Other)]).Should().Equal(0);
        guest.Command([1, 0, 0, 0, 0, 0, 0, 0, 0, 0]).Should().Be(Ok);
        Passing(guest, [FrameTo(Group), FrameTo(Other)]).Should().BeEmpty();
    }

    [Fact]
    public void Tagged_frames_come_of_the_VLANs_that_were_named()
    {
        using NetGuest guest = new();
        guest.Command([0, 0, 0]);
        byte[] plain = FrameTo(NetGuest.Own.GetAddressBytes());
        byte[][] all = [plain, Frames.Tagged(plain, 5), Frames.Tagged(plain, 0x6FFF)];

        Passing(guest, all).Should().Equal(0);
        guest.Command([2, 0, 5, 0]).Should().Be(Ok);
        guest.Command([2, 0, 0xFF, 0x0F]).Should().Be(Ok);
        Passing(guest, all).Should().Equal(0, 1, 2);
        guest.Command([2, 1, 5, 0]).Should().Be(Ok);
        Passing(guest, all).Should().Equal(0, 2);
    }

    [Fact]
    public void Address_that_the_driver_sets_is_the_devices_until_a_reset()
    {
        using NetGuest guest = new();
        guest.Command([0, 0, 0]);

        guest.Command([1, 1, .. Other]).Should().Be(Ok);

        Passing(guest, [FrameTo(NetGuest.Own.GetAddressBytes()), FrameTo(Other)]).Should().Equal(1);
        guest.Driver.ReadConfig<NetConfig>().Mac.Should().Be(0x0200_0000_0007);
        guest.Driver.Start();
        guest.Driver.ReadConfig<NetConfig>().Mac.Should().Be(0x5254_00AA_BB01);
    }

    [Theory]
    [InlineData(new byte[] { 0 })]
    [InlineData(new byte[] { 0, 0 })]
    [InlineData(new byte[] { 0, 0, 2 })]
    [InlineData(new byte[] { 0, 6, 1 })]
    [InlineData(new byte[] { 0, 0, 1, 1 })]
    [InlineData(new byte[] { 1, 0, 1, 0, 0, 0 })]
    [InlineData(new byte[] { 1, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0 })]
    [InlineData(new byte[] { 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 })]
    [InlineData(new byte[] { 1, 1, 2, 0, 0, 0, 0 })]
    [InlineData(new byte[] { 1, 1, 3, 0, 0, 0, 0, 7 })]
    [InlineData(new byte[] { 1, 2, 2, 0, 0, 0, 0, 7 })]
    [InlineData(new byte[] { 2, 0, 0, 0x10 })]
    [InlineData(new byte[] { 2, 2, 5, 0 })]
    [InlineData(new byte[] { 2, 0, 5 })]
    [InlineData(new byte[] { 3, 1 })]
    [InlineData(new byte[] { 4, 0, 1, 0 })]
    [InlineData(new byte[] { 5, 0, 0, 0, 1, 0, 0, 0, 0, 0 })]
    [InlineData(new byte[] { 5, 0, 0 })]
    [InlineData(new byte[] { 6, 0 })]
    [InlineData(new byte[] { 255, 255 })]
    public void Command_that_is_none_is_refused_and_changes_nothing(byte[] command)
    {
        using NetGuest guest = new();

        guest.Command(command).Should().Be(Error);

        guest.Command([0, 0, 1]).Should().Be(Ok);
        guest.Driver.ReadConfig<NetConfig>().Mac.Should().Be(0x5254_00AA_BB01);
        guest.Driver.ReadNeedsReset().Should().BeFalse();
    }

    [Fact]
    public void Command_as_long_as_memory_is_refused()
    {
        using NetGuest guest = new();
        VirtioDriverQueue control = guest.Driver.Queues[2];
        Iova ack = guest.Guest.Memory.Allocate(1);
        control.Add(new VirtioPart(guest.Guest.Memory.Address, 16 << 20, writable: false), new VirtioPart(ack, 1, writable: true));
        control.Notify();
        control.Take().Written.Should().Be(1);

        guest.Guest.Memory.Read<byte>(ack).Should().Be(Error);
    }

    [Fact]
    public void Commands_without_their_features_are_refused()
    {
        using NetGuest guest = new(features: (ulong)(NetFeatures.ControlQueue | NetFeatures.Mac));

        guest.Command([0, 0, 0]).Should().Be(Error);
        guest.Command([1, 0, 0, 0, 0, 0, 0, 0, 0, 0]).Should().Be(Error);
        guest.Command([1, 1, .. Other]).Should().Be(Error);
        guest.Command([2, 0, 5, 0]).Should().Be(Error);
        guest.Command([3, 0]).Should().Be(Error);
        guest.Command([5, 0, 0, 0, 0, 0, 0, 0, 0, 0]).Should().Be(Error);
    }

    [Theory]
    [InlineData((ulong)(NetFeatures.GuestTso4))]
    [InlineData((ulong)(NetFeatures.GuestEcn | NetFeatures.GuestChecksum))]
    [InlineData((ulong)(NetFeatures.HostTso6))]
    [InlineData((ulong)(NetFeatures.HostEcn | NetFeatures.Checksum))]
    [InlineData((ulong)(NetFeatures.ControlReceive))]
    [InlineData((ulong)(NetFeatures.GuestAnnounce))]
    public void Features_without_those_that_they_need_are_refused(ulong features) =>
        FluentActions.Invoking(() => new NetGuest(features: features)).Should().Throw<TestGuestException>().WithMessage("*refuses*");

    [Fact]
    public void Offloads_that_the_driver_gives_up_are_done_for_it()
    {
        using NetGuest guest = new();
        guest.Post(4, 4096);
        byte[] whole = Frames.Tcp(NetGuest.Own, 1000);
        (byte[] bytes, FrameOffload offload) = Frames.Unfinished(whole);

        guest.Arrive(bytes, offload);
        guest.Command([5, 0, 0, 0, 0, 0, 0, 0, 0, 0]).Should().Be(Ok);
        guest.Arrive(bytes, offload);

        guest.Receive().Frame.Should().Equal(bytes);
        guest.Receive().Frame.Should().Equal(whole);
    }

    [Fact]
    public void Flows_come_where_the_guest_has_sent_them()
    {
        using NetGuest guest = new(options: new() { Address = NetGuest.Own, QueuePairs = 4 });
        byte[] frame = Frames.Tcp(NetGuest.Own, 100);
        byte[] answer = [.. frame];
        frame.AsSpan(26, 4).CopyTo(answer.AsSpan(30));
        frame.AsSpan(30, 4).CopyTo(answer.AsSpan(26));
        guest.Command([4, 0, 4, 0], queue: 8).Should().Be(Ok);
        for (int queue = 0; queue < 8; queue += 2)
            guest.Post(4, 2048, queue);

        foreach (int queue in (int[])[7, 3, 1, 5])
        {
            guest.Send(frame, queue: queue);
            guest.Arrive(answer);
            guest.Receive(queue - 1).Frame.Should().Equal(answer);
        }
        guest.Command([4, 0, 1, 0], queue: 8).Should().Be(Ok);
        guest.Arrive(answer);
        guest.Receive().Frame.Should().Equal(answer);
        guest.Command([4, 0, 0, 0], queue: 8).Should().Be(Error);
        guest.Command([4, 0, 5, 0], queue: 8).Should().Be(Error);
    }

    [Fact]
    public void Control_queue_is_the_third_for_a_driver_of_one_pair()
    {
        using NetGuest guest = new(features: NetGuest.AllFeatures & ~(ulong)NetFeatures.MultiQueue, options: new() { Address = NetGuest.Own, QueuePairs = 4 });

        guest.Command([0, 0, 0]).Should().Be(Ok);
        guest.Command([4, 0, 1, 0]).Should().Be(Error);
    }

    [Fact]
    public void Link_goes_down_and_up()
    {
        using NetGuest guest = new();
        guest.Post(1, 2048);
        guest.Status.Should().Be(1);
        int seen = guest.Driver.Interrupts[0].Count;

        guest.Device.IsLinkUp = false;
        guest.Driver.Interrupts[0].WaitFor(seen + 1);
        guest.Status.Should().Be(0);
        guest.Send(Frames.To(Frames.Peer));
        guest.Arrive(Frames.To(NetGuest.Own, 100));
        guest.Device.Unplug();
        guest.Device.IsLinkUp = true;
        guest.Status.Should().Be(0);
        guest.Device.Plug(guest.Cable);
        guest.Status.Should().Be(1);
        guest.Arrive(Frames.To(NetGuest.Own, 200));

        guest.Receive().Frame.Should().HaveCount(200);
        guest.Cable.Frames.Should().BeEmpty();
        guest.Device.Statistics.SendErrors.Should().Be(1);
    }

    [Theory]
    [InlineData(Layout.Split)]
    [InlineData(Layout.PackedIndirect)]
    public void Guest_that_has_moved_goes_on_and_is_asked_to_announce_itself(Layout layout)
    {
        using NetGuest guest = new(layout);
        guest.Command([0, 0, 0]);
        guest.Command([1, 0, 0, 0, 0, 0, 1, 0, 0, 0, .. Group]);
        guest.Command([2, 0, 5, 0]);
        guest.Command([1, 1, .. Other]);
        guest.Post(8, 2048);
        guest.Arrive(FrameTo(Other));
        guest.Receive();
        using VirtioNet target = new();
        target.Plug(guest.Cable);

        guest.MigrateTo(target);

        SpinWait.SpinUntil(() => guest.Status == 3, TimeSpan.FromSeconds(30)).Should().BeTrue();
        guest.Command([3, 0]).Should().Be(Ok);
        guest.Status.Should().Be(1);
        guest.Driver.ReadConfig<NetConfig>().Mac.Should().Be(0x0200_0000_0007);
        byte[][] all = [FrameTo(NetGuest.Own.GetAddressBytes()), FrameTo(Other), FrameTo(Group), Frames.Tagged(FrameTo(Other), 5), Frames.Tagged(FrameTo(Other), 6)];
        foreach (byte[] frame in all)
            new NetworkFrame(frame).SendTo(target);
        Enumerable.Range(0, 3).Select(_ => guest.Receive().Frame).Should().BeEquivalentTo(((byte[][])[all[1], all[2], all[3]]), order => order.WithStrictOrdering());
        guest.Send(Frames.To(Frames.Peer));
        guest.Cable.Frames.Should().ContainSingle();
    }

    [Theory]
    [InlineData(0, 256, null)]
    [InlineData(65, 256, null)]
    [InlineData(1, 32, null)]
    [InlineData(1, 100, null)]
    [InlineData(1, 256, 67)]
    public void Options_that_no_device_can_have_are_refused(int pairs, int size, int? mtu) =>
        FluentActions.Invoking(() => new VirtioNet(new() { QueuePairs = pairs, QueueSize = size, Mtu = mtu })).Should().Throw<ArgumentException>();

    [Fact]
    public void Address_of_a_group_is_refused()
    {
        FluentActions.Invoking(() => new VirtioNet(new() { Address = PhysicalAddress.Parse("01-00-00-00-00-01") })).Should().Throw<ArgumentException>();
        using VirtioNet one = new();
        using VirtioNet other = new();
        one.Address.Should().NotBe(other.Address);
    }

    // which of the frames come
    private static int[] Passing(NetGuest guest, byte[][] frames)
    {
        List<int> passing = [];
        for (int i = 0; i < frames.Length; i++)
        {
            long before = guest.Device.Statistics.FramesReceived;
            guest.Post(1, 2048);
            guest.Arrive(frames[i]);
            if (guest.Device.Statistics.FramesReceived > before)
            {
                guest.Receive().Frame.Should().Equal(frames[i]);
                passing.Add(i);
            }
        }
        return [.. passing];
    }

    private static byte[] FrameTo(byte[] address) => Frames.To(new PhysicalAddress(address));
}
