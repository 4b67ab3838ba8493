using System.Net.NetworkInformation;

namespace VfioUser.Network.Tests;

public class NetworkSwitchTests
{
    private static readonly PhysicalAddress First = PhysicalAddress.Parse("52-54-00-00-00-01");
    private static readonly PhysicalAddress Second = PhysicalAddress.Parse("52-54-00-00-00-02");

    private readonly NetworkSwitch _switch = new();
    private readonly CollectingPort[] _stations = [new(PortOffloads.All), new(), new()];
    private readonly NetworkSwitchPort[] _ports;

    public NetworkSwitchTests() => _ports = [.. _stations.Select(_switch.Connect)];

    [Fact]
    public void A_frame_for_an_unknown_address_goes_everywhere_but_back()
    {
        _ports[0].Send(new NetworkFrame(Frames.To(Second, source: First)));

        _stations.Select(station => station.Frames.Count).Should().Equal(0, 1, 1);
    }

    [Fact]
    public void A_frame_for_a_known_address_goes_there_alone()
    {
        _ports[1].Send(new NetworkFrame(Frames.To(Frames.Broadcast, source: Second)));

        _ports[0].Send(new NetworkFrame(Frames.To(Second, source: First)));

        _stations.Select(station => station.Frames.Count).Should().Equal(1, 1, 1);
        _switch.Find(Second).Should().BeSameAs(_ports[1]);
    }

    [Fact]
    public void A_frame_to_ones_own_port_goes_nowhere()
    {
        _ports[0].Send(new NetworkFrame(Frames.To(Frames.Broadcast, source: First)));

        _ports[0].Send(new NetworkFrame(Frames.To(First, source: Second)));

        _stations.Select(station => station.Frames.Count).Should().Equal(0, 1, 1);
    }

    [Fact]
    public void An_address_is_found_where_it_was_seen_last()
    {
        _ports[0].Send(new NetworkFrame(Frames.To(Frames.Broadcast, source: First)));
        _ports[2].Send(new NetworkFrame(Frames.To(Frames.Broadcast, source: First)));

        _switch.Find(First).Should().BeSameAs(_ports[2]);
    }

    [Fact]
    public void An_unplugged_station_gets_nothing_and_is_forgotten()
    {
        _ports[1].Send(new NetworkFrame(Frames.To(Frames.Broadcast, source: Second)));
        _ports[1].Dispose();

        _ports[0].Send(new NetworkFrame(Frames.To(Second, source: First)));

        _stations.Select(station => station.Frames.Count).Should().Equal(1, 0, 2);
        _switch.Find(Second).Should().BeNull();
    }

    [Fact]
    public void A_station_with_many_addresses_does_not_fill_the_memory()
    {
        for (int i = 0; i < 5000; i++)
            _ports[0].Send(new NetworkFrame(Frames.To(Frames.Broadcast, source: new PhysicalAddress([2, 0, 0, 0, (byte)(i >> 8), (byte)i]))));

        _switch.Find(new PhysicalAddress([2, 0, 0, 0, 0, 1])).Should().NotBeNull();
        _switch.Find(new PhysicalAddress([2, 0, 0, 0, 4999 >> 8, 4999 & 0xFF])).Should().BeNull();
    }

    [Fact]
    public void Work_that_a_frame_leaves_is_done_for_those_that_cannot()
    {
        (byte[] bytes, FrameOffload offload) = Frames.Unfinished(Frames.Tcp(Frames.Broadcast, payload: 3000), segmentSize: 1000);

        _ports[1].Send(new NetworkFrame(bytes, offload));

        _stations[0].Sent.Should().ContainSingle().Which.Should().BeEquivalentTo((bytes, offload));
        _stations[2].Sent.Should().HaveCount(3).And.OnlyContain(sent => sent.Offload == default && Frames.IsValidTcp(sent.Bytes));
    }

    [Fact]
    public void An_unplugged_station_is_not_learned_again()
    {
        _ports[1].Dispose();

        _ports[1].Send(new NetworkFrame(Frames.To(Frames.Broadcast, source: Second)));

        _switch.Find(Second).Should().BeNull();
    }
}
