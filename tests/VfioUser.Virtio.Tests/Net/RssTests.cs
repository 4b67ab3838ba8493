using System.Buffers.Binary;
using System.Net;
using VfioUser.Network;

namespace VfioUser.Virtio.Tests;

/// <summary>Hashes of received frames, and the table by which the driver spreads them over its queues.</summary>
public sealed class RssTests
{
    private const byte Ok = 0;
    private const byte Error = 1;
    private const byte Tcp = 6;
    private const byte Udp = 17;

    // of Microsoft's "Verifying the RSS Hash Calculation"
    private static readonly byte[] Key = Convert.FromHexString("6d5a56da255b0ec24167253d43a38fb0d0ca2bcbae7b30b477cb2da38030f20c6a42b73bbeac01fa");

    private static readonly VirtioNetOptions Options = new() { Address = NetGuest.Own, QueuePairs = 4, OffersRss = true, OffersHashReports = true };

    public static TheoryData<string, string, uint, uint> Published => new()
    {
        { "66.9.149.187:2794", "161.142.100.80:1766", 0x323E8FC2, 0x51CCC178 },
        { "199.92.111.2:14230", "65.69.140.83:4739", 0xD718262A, 0xC626B0EA },
        { "24.19.198.95:12898", "12.22.207.184:38024", 0xD2D0A5DE, 0x5C2B394A },
        { "38.27.205.30:48228", "209.142.163.6:2217", 0x82989176, 0xAFC7327F },
        { "153.39.163.191:44251", "202.188.127.2:1303", 0x5D1809C5, 0x10E828A2 },
        { "[3ffe:2501:200:1fff::7]:2794", "[3ffe:2501:200:3::1]:1766", 0x2CC18CD5, 0x40207D3D },
        { "[3ffe:501:8::260:97ff:fe40:efab]:14230", "[ff02::1]:4739", 0x0F0C461C, 0xDDE51BBF },
        { "[3ffe:1900:4545:3:200:f8ff:fe21:67cf]:44251", "[fe80::200:f8ff:fe21:67cf]:38024", 0x4B61E985, 0x02D1FEEF },
    };

    [Theory]
    [MemberData(nameof(Published))]
    public void Hashes_are_the_published_ones(string source, string destination, uint ofAddresses, uint ofPorts)
    {
        bool isIPv6 = source[0] == '[';
        (ushort ip, ushort tcp, ushort udp) = isIPv6 ? ((ushort)4, (ushort)5, (ushort)6) : ((ushort)1, (ushort)2, (ushort)3);
        byte[] segment = Packet(source, destination, Tcp);
        byte[] datagram = Packet(source, destination, Udp);

        Report(HashTypes.Supported, segment).Should().Be((ofPorts, tcp));
        Report(HashTypes.Supported, datagram).Should().Be((ofPorts, udp));
        Report(HashTypes.Supported, Packet(source, destination, protocol: 1)).Should().Be((ofAddresses, ip));
        Report(HashTypes.IPv4 | HashTypes.IPv6 | HashTypes.UdpIPv4 | HashTypes.UdpIPv6, segment).Should().Be((ofAddresses, ip));
        Report(HashTypes.UdpIPv4 | HashTypes.UdpIPv6, segment).Should().Be((0u, (ushort)0));
        Report(HashTypes.Supported, Frames.Tagged(segment, 5)).Should().Be((ofPorts, tcp));
    }

    [Fact]
    public void Fragments_are_hashed_by_their_addresses_and_extension_headers_are_passed()
    {
        byte[] fragment = Packet("66.9.149.187:2794", "161.142.100.80:1766", Tcp);
        fragment[Ethernet.HeaderLength + 6] = 0x20; // more of it follow
        byte[] plain = Packet("[3ffe:2501:200:1fff::7]:2794", "[3ffe:2501:200:3::1]:1766", Tcp);
        byte[] extended = [.. plain[..54], Tcp, 1, .. new byte[14], .. plain[54..]];
        extended[Ethernet.HeaderLength + 6] = 60; // options for the destination, 16 bytes of them
        byte[] endless = [.. extended];
        endless[54] = 60;
        endless[55] = 255;

        Report(HashTypes.Supported, fragment).Should().Be((0x323E8FC2u, (ushort)1));
        Report(HashTypes.Supported, extended).Should().Be((0x40207D3Du, (ushort)5));
        Report(HashTypes.Supported, endless).Should().Be((0x2CC18CD5u, (ushort)4));
    }

    [Fact]
    public void Frames_come_in_the_queue_of_the_drivers_table()
    {
        using NetGuest guest = new(options: Options);
        for (int queue = 0; queue < 8; queue += 2)
            guest.Post(8, 2048, queue);
        guest.Command(Rss(HashTypes.TcpIPv4, unclassified: 3, [2, 1, 0, 3, 2, 1, 0, 3]), queue: 8).Should().Be(Ok);

        foreach ((string source, string destination, uint hash) in ((string, string, uint)[])[
            ("66.9.149.187:2794", "161.142.100.80:1766", 0x51CCC178), ("199.92.111.2:14230", "65.69.140.83:4739", 0xC626B0EA),
            ("38.27.205.30:48228", "209.142.163.6:2217", 0xAFC7327F)])
        {
            byte[] frame = Packet(source, destination, Tcp);
            guest.Arrive(frame);
            int pair = (int[])[2, 1, 0, 3] is var table ? table[hash % 4] : 0;
            (byte[] header, byte[] received) = guest.Receive(2 * pair);
            received.Should().Equal(frame);
            BinaryPrimitives.ReadUInt32LittleEndian(header.AsSpan(12)).Should().Be(hash);
            header[16..].Should().Equal(2, 0, 0, 0);
        }
        byte[] other = Frames.To(NetGuest.Own, 100);
        guest.Arrive(other);
        (byte[] none, byte[] unclassified) = guest.Receive(6);
        unclassified.Should().Equal(other);
        none[12..].Should().Equal(new byte[8]);
    }

    [Fact]
    public void Frames_that_wait_for_buffers_have_their_hash()
    {
        using NetGuest guest = new(options: Options with { QueuePairs = 1, OffersRss = false });
        guest.Command(Hashes(HashTypes.Supported)).Should().Be(Ok);
        guest.Arrive(Packet("66.9.149.187:2794", "161.142.100.80:1766", Tcp));

        guest.Post(1, 2048);

        BinaryPrimitives.ReadUInt32LittleEndian(guest.Receive().Header.AsSpan(12)).Should().Be(0x51CCC178);
    }

    [Fact]
    public void Sent_frames_have_the_longer_header()
    {
        using NetGuest guest = new(options: Options);
        byte[] frame = Frames.To(Frames.Peer, 99);

        guest.Send(frame);

        guest.Cable.Frames.Should().ContainSingle().Which.Should().Equal(frame);
    }

    [Fact]
    public void Setting_the_pairs_ends_the_table_and_not_the_hashes()
    {
        using NetGuest guest = new(options: Options);
        byte[] frame = Packet("66.9.149.187:2794", "161.142.100.80:1766", Tcp);
        guest.Post(2, 2048, queue: 0);
        guest.Post(2, 2048, queue: 4);
        guest.Command(Rss(HashTypes.Supported, unclassified: 0, [2]), queue: 8).Should().Be(Ok);
        guest.Arrive(frame);
        guest.Receive(4);

        guest.Command([4, 0, 1, 0], queue: 8).Should().Be(Ok);
        guest.Arrive(frame);

        BinaryPrimitives.ReadUInt32LittleEndian(guest.Receive().Header.AsSpan(12)).Should().Be(0x51CCC178);
    }

    [Fact]
    public void Configuration_tells_what_can_be_hashed()
    {
        using NetGuest guest = new(options: Options);
        NetConfig config = guest.Driver.ReadConfig<NetConfig>();

        (config.RssMaxKeySize, config.RssMaxIndirection, config.HashTypes).Should().Be(((byte)40, (ushort)128, 0x3Fu));
    }

    public static TheoryData<string, byte[]> Wrong => new()
    {
        { "nothing", [4, 1] },
        { "half of the types", [4, 1, 1, 0] },
        { "a table of three", Rss(HashTypes.IPv4, 0, [0, 0, 0]) },
        { "a table of 256", Rss(HashTypes.IPv4, 0, new ushort[256]) },
        { "a mask of 65535", [.. Rss(HashTypes.IPv4, 0, [0])[..6], 0xFF, 0xFF, .. Rss(HashTypes.IPv4, 0, [0])[8..]] },
        { "a queue that is not there", Rss(HashTypes.IPv4, 0, [0, 4]) },
        { "a reserved bit", Rss(HashTypes.IPv4, 0, [0x8000]) },
        { "an unclassified queue that is not there", Rss(HashTypes.IPv4, 4, [0]) },
        { "no transmit queues", Rss(HashTypes.IPv4, 0, [0], transmitQueues: 0) },
        { "too many transmit queues", Rss(HashTypes.IPv4, 0, [0], transmitQueues: 5) },
        { "types that are not offered", Rss((HashTypes)0x40, 0, [0]) },
        { "hashes without a key", [.. Rss(HashTypes.IPv4, 0, [0])[..14], 0] },
        { "a key that is too long", [.. Rss(HashTypes.IPv4, 0, [0])[..14], 41, .. new byte[41]] },
        { "half a key", Rss(HashTypes.IPv4, 0, [0])[..^1] },
        { "a table that ends early", Rss(HashTypes.IPv4, 0, new ushort[128])[..100] },
        { "hashes that end early", Hashes(HashTypes.IPv4)[..10] },
        { "hashes without a key's length", Hashes(HashTypes.IPv4)[..14] },
        { "hashes of another type", Hashes((HashTypes)0x8000_0000) },
        { "no command", [4, 3] },
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    public void Settings_that_no_driver_may_make_are_refused(string what, byte[] command)
    {
        using NetGuest guest = new(options: Options);
        guest.Post(1, 2048);

        guest.Command(command, queue: 8).Should().Be(Error, what);

        guest.Arrive(Packet("66.9.149.187:2794", "161.142.100.80:1766", Tcp));
        guest.Receive().Header[12..].Should().Equal(new byte[8]);
        guest.Device.Rss.Should().BeNull();
    }

    [Fact]
    public void Byte_behind_the_key_which_Linux_sends_is_no_part_of_it()
    {
        using NetGuest guest = new(options: Options);

        guest.Command([.. Rss(HashTypes.Supported, 0, new ushort[128]), 7], queue: 8).Should().Be(Ok);
        guest.Device.Rss!.Settings.Should().Equal(Rss(HashTypes.Supported, 0, new ushort[128])[2..]);
        guest.Command([.. Hashes(HashTypes.IPv4), 7], queue: 8).Should().Be(Ok);
        guest.Device.Rss!.Settings.Should().Equal(Hashes(HashTypes.IPv4)[2..]);
    }

    [Fact]
    public void Settings_without_their_features_are_refused()
    {
        using NetGuest guest = new(options: Options with { OffersRss = false, OffersHashReports = false });

        guest.Command(Rss(HashTypes.IPv4, 0, [0]), queue: 8).Should().Be(Error);
        guest.Command(Hashes(HashTypes.IPv4), queue: 8).Should().Be(Error);
        guest.Driver.ReadConfig<NetConfig>().HashTypes.Should().Be(0);
    }

    [Fact]
    public void Table_and_hashes_move_with_the_guest()
    {
        using NetGuest guest = new(options: Options);
        guest.Command(Rss(HashTypes.Supported, unclassified: 1, [2, 2]), queue: 8).Should().Be(Ok);
        guest.Post(1, 2048, queue: 4);
        using VirtioNet target = new(Options);
        target.Plug(guest.Cable);

        guest.MigrateTo(target);
        new NetworkFrame(Packet("66.9.149.187:2794", "161.142.100.80:1766", Tcp)).SendTo(target);

        BinaryPrimitives.ReadUInt32LittleEndian(guest.Receive(4).Header.AsSpan(12)).Should().Be(0x51CCC178);
        guest.Driver.Start();
        target.Rss.Should().BeNull();
    }

    [Fact]
    public void State_that_no_driver_can_have_set_is_refused()
    {
        RssState state = RssState.Of(RssSettings.WithTable(Rss(HashTypes.IPv4, 0, [0, 3]).AsSpan(2), pairs: 4));

        state.ToSettings(pairs: 4)!.HasTable.Should().BeTrue();
        state.Invoking(it => it.ToSettings(pairs: 3)).Should().Throw<InvalidDataException>();
        (state with { Length = ushort.MaxValue }).Invoking(it => it.ToSettings(pairs: 4)).Should().Throw<InvalidDataException>();
    }

    [Fact]
    public void One_pair_of_queues_has_no_table() =>
        FluentActions.Invoking(() => new VirtioNet(new() { OffersRss = true })).Should().Throw<ArgumentException>().WithMessage("*OffersRss*");

    private static byte[] Rss(HashTypes types, ushort unclassified, ushort[] table, ushort transmitQueues = 4) =>
    [
        4, 1, .. BitConverter.GetBytes((uint)types), .. BitConverter.GetBytes((ushort)(table.Length - 1)), .. BitConverter.GetBytes(unclassified),
        .. table.SelectMany(BitConverter.GetBytes), .. BitConverter.GetBytes(transmitQueues), (byte)Key.Length, .. Key,
    ];

    private static byte[] Hashes(HashTypes types) => [4, 2, .. BitConverter.GetBytes((uint)types), .. new byte[8], (byte)Key.Length, .. Key];

    // of a device that hashes so
    private static (uint Hash, ushort Type) Report(HashTypes types, byte[] frame)
    {
        using NetGuest guest = new(options: Options with { QueuePairs = 1, OffersRss = false });
        guest.Command(Hashes(types)).Should().Be(Ok);
        guest.Post(1, 2048);
        guest.Arrive(frame);
        byte[] header = guest.Receive().Header;
        return (BinaryPrimitives.ReadUInt32LittleEndian(header.AsSpan(12)), BinaryPrimitives.ReadUInt16LittleEndian(header.AsSpan(16)));
    }

    private static byte[] Packet(string source, string destination, byte protocol)
    {
        (IPEndPoint from, IPEndPoint to) = (IPEndPoint.Parse(source), IPEndPoint.Parse(destination));
        (byte[] first, byte[] second) = (from.Address.GetAddressBytes(), to.Address.GetAddressBytes());
        byte[] ip = first.Length == 4
            ? [0x45, 0, 0, 60, 0, 0, 0, 0, 64, protocol, 0, 0, .. first, .. second]
            : [0x60, 0, 0, 0, 0, 40, protocol, 64, .. first, .. second];
        byte[] packet =
        [
            .. NetGuest.Own.GetAddressBytes(), .. Frames.Peer.GetAddressBytes(), (byte)(first.Length == 4 ? 0x08 : 0x86), (byte)(first.Length == 4 ? 0 : 0xDD),
            .. ip, (byte)(from.Port >> 8), (byte)from.Port, (byte)(to.Port >> 8), (byte)to.Port, .. new byte[36],
        ];
        return packet;
    }
}
