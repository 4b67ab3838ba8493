using Microsoft.Extensions.Time.Testing;

namespace VfioUser.Network.Tests;

public class PcapFileTests
{
    [Fact]
    public void The_file_has_what_passed_as_libpcap_writes_it()
    {
        MemoryStream stream = new();
        CollectingPort behind = new();
        FakeTimeProvider time = new(DateTimeOffset.UnixEpoch + TimeSpan.FromMicroseconds(3_000_007));
        byte[] frame = Frames.To(Frames.Peer, 60);

        using (PcapFile file = new(stream, time))
            file.InFrontOf(behind).Send(new NetworkFrame(frame));

        stream.ToArray().Should().Equal(
        [
            0xD4, 0xC3, 0xB2, 0xA1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0,
            3, 0, 0, 0, 7, 0, 0, 0, 60, 0, 0, 0, 60, 0, 0, 0, .. frame,
        ]);
        behind.Frames.Should().ContainSingle().Which.Should().Equal(frame);
    }

    [Fact]
    public void A_file_that_cannot_be_written_does_not_stop_the_frames()
    {
        CollectingPort behind = new();
        using FullStream stream = new();
        using PcapFile file = new(stream);
        stream.IsFull = true;
        INetworkPort tap = file.InFrontOf(behind);

        tap.Send(new NetworkFrame(Frames.To(Frames.Peer)));
        stream.IsFull = false;
        tap.Send(new NetworkFrame(Frames.To(Frames.Peer)));

        behind.Frames.Should().HaveCount(2);
        file.Failure!.Message.Should().Be("full");
        stream.Length.Should().Be(24, "a file with a gap would say that nothing passed there");
    }

    [Fact]
    public void Frames_pass_with_what_they_leave_to_do()
    {
        CollectingPort behind = new(PortOffloads.All);
        using MemoryStream stream = new();
        using PcapFile file = new(stream);
        (byte[] bytes, FrameOffload offload) = Frames.Unfinished(Frames.Tcp(Frames.Peer, payload: 60_000), segmentSize: 1000);

        INetworkPort port = file.InFrontOf(behind);
        new NetworkFrame(bytes, offload).SendTo(port);

        behind.Sent.Should().ContainSingle().Which.Should().BeEquivalentTo((bytes, offload));
        stream.Length.Should().Be(24 + 16 + bytes.Length);
    }

    private sealed class FullStream : MemoryStream
    {
        public bool IsFull { get; set; }

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            if (IsFull)
                throw new IOException("full");
            base.Write(buffer);
        }
    }
}
