using VfioUser.Network;

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
