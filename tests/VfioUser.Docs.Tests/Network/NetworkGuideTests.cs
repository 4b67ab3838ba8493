using Microsoft.Extensions.Time.Testing;
using VfioUser.Network;
using VfioUser.Testing;

namespace VfioUser.Docs.Tests.Network;

/// <summary>The snippets of docs/network.md.</summary>
public sealed class NetworkGuideTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("vfio-user-docs-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void Frames_are_recorded_on_their_way_to_a_switch()
    {
        string path = Path.Combine(_folder.FullName, "frames.pcap");
        byte[] frame = [.. Enumerable.Repeat((byte)0xFF, 6), .. new byte[54]];
        FrameCounter station = new();

        Record(path, frame, station).Bytes.Should().Be(0, "a frame does not go back");

        station.Bytes.Should().Be(60);
        new FileInfo(path).Length.Should().Be(24 + 16 + 60);
    }

    [Fact]
    public void Driver_slows_its_link_down_through_the_management_register()
    {
        PhyCard card = new();
        using var guest = TestGuest.Attach(card, new() { TimeProvider = new FakeTimeProvider() });
        card.Plug();
        guest.Advance(TimeSpan.Zero);
        guest.Registers["STATUS"].Read().Should().Be(3);

        guest.Registers["MDIO"].Write(1 << 21 | 9 << 16);
        guest.Registers["MDIO"].Write(1 << 21 | 0 << 16 | 0x1200);

        guest.Registers["STATUS"].Read().Should().Be(1);
        guest.Registers["MDIO"].Write(16 << 16);
        guest.Registers["MDIO"].Read().Should().Be(16 << 16 | 0x0360);
    }

    [Fact]
    public void Frames_of_a_ring_are_sent_in_pieces_of_work()
    {
        FrameCounter cable = new();
        using var guest = TestGuest.Attach(new TransmitCard(cable), new() { TimeProvider = new FakeTimeProvider() });
        guest.StartDriver(PciIrqTypes.None);
        GuestRing<UInt128> ring = new(guest.Memory, 256);
        Iova frame = guest.Place(new byte[40]);
        guest.Registers["TDBA"].Write(ring.Address.Value);
        guest.Registers["TDLEN"].Write((ulong)ring.Length);

        // the last descriptor of a frame has its tag
        for (int i = 0; i < 100; i++)
        {
            ring.Put(new UInt128(20, frame.Value));
            ring.Put(new UInt128(20 | 5ul << 16 | 1ul << 48, frame.Value + 20));
        }

        guest.Registers["TDT"].Write((ulong)ring.Tail);
        guest.Advance(TimeSpan.Zero);

        cable.Bytes.Should().Be(100 * 60);
        guest.Registers["TDH"].Read().Should().Be(200);
    }

    private static FrameCounter Record(string path, byte[] frame, FrameCounter other)
    {
        NetworkSwitch middle = new();
        using PcapFile file = new(File.Create(path));
        FrameCounter counter = new();
        using NetworkSwitchPort port = middle.Connect(counter);

        middle.Connect(other);
        INetworkPort recorded = file.InFrontOf(port);
        new NetworkFrame(frame).SendTo(recorded);
        return counter;
    }
}
