namespace VfioUser.Network.Tests;

public class EthernetTests
{
    [Theory]
    [InlineData("FF-FF-FF-FF-FF-FF", true, true)]
    [InlineData("33-33-00-00-00-01", true, false)]
    [InlineData("FF-FF-FF-FF-FF-FE", true, false)]
    [InlineData("52-54-00-12-34-56", false, false)]
    public void Addresses_are_of_one_of_a_group_or_of_all(string address, bool isGroup, bool isBroadcast)
    {
        byte[] bytes = System.Net.NetworkInformation.PhysicalAddress.Parse(address).GetAddressBytes();

        (Ethernet.IsGroup(bytes), Ethernet.IsBroadcast(bytes)).Should().Be((isGroup, isBroadcast));
    }

    [Fact]
    public void Type_is_found_behind_up_to_two_tags()
    {
        byte[] frame = Frames.Tcp(Frames.Peer, 10);
        byte[] tagged = Frames.Tagged(frame, 5);

        (Ethernet.TypeOf(frame, out int first), first).Should().Be((Ethernet.IPv4, 14));
        (Ethernet.TypeOf(tagged, out int second), second).Should().Be((Ethernet.IPv4, 18));
        (Ethernet.TypeOf(Frames.Tagged(tagged, 6), out int third), third).Should().Be((Ethernet.IPv4, 22));
        (Ethernet.TypeOf(tagged.AsSpan(0, 17), out int none), none).Should().Be((Ethernet.VlanTag, 14));
    }

    [Fact]
    public void Outer_tag_is_the_one_of_the_protocol()
    {
        byte[] tagged = Frames.Tagged(Frames.To(Frames.Peer), 0xE123);

        Ethernet.TryGetVlanTag(tagged, Ethernet.VlanTag, out ushort tag).Should().BeTrue();
        tag.Should().Be(0xE123);
        Ethernet.TryGetVlanTag(tagged, Ethernet.ServiceTag, out tag).Should().BeFalse();
        tag.Should().Be(0);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(13)]
    [InlineData(17)]
    public void Bytes_that_end_before_the_tag_have_none(int length) =>
        Ethernet.TryGetVlanTag(Frames.Tagged(Frames.To(Frames.Peer), 1).AsSpan(0, length), Ethernet.VlanTag, out _).Should().BeFalse();
}
