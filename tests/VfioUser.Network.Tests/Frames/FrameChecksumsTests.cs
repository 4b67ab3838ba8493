using System.Buffers.Binary;

namespace VfioUser.Network.Tests;

public class FrameChecksumsTests
{
    [Fact]
    public void Right_checksums_are_valid_and_any_other_byte_makes_them_wrong()
    {
        byte[] frame = Frames.Tcp(Frames.Peer, 99);

        FrameChecksums.CheckIPv4(frame).Should().Be(ChecksumState.Valid);
        FrameChecksums.CheckTransport(frame).Should().Be(ChecksumState.Valid);
        for (int i = 34; i < frame.Length; i++)
        {
            frame[i] ^= 0x10;
            FrameChecksums.CheckIPv4(frame).Should().Be(ChecksumState.Valid);
            FrameChecksums.CheckTransport(frame).Should().Be(ChecksumState.Wrong, "byte {0} is another", i);
            frame[i] ^= 0x10;
        }
        frame[22]++; // the time to live
        FrameChecksums.CheckIPv4(frame).Should().Be(ChecksumState.Wrong);
        FrameChecksums.CheckTransport(frame).Should().Be(ChecksumState.Valid);
    }

    [Fact]
    public void Padding_does_not_count() =>
        FrameChecksums.CheckTransport([.. Frames.Tcp(Frames.Peer, 1), 1, 2, 3, 4, 5]).Should().Be(ChecksumState.Valid);

    [Fact]
    public void Tags_are_passed_over()
    {
        byte[] frame = Frames.Tagged(Frames.Tagged(Frames.Tcp(Frames.Peer, 64), 5), 6);

        FrameChecksums.CheckIPv4(frame).Should().Be(ChecksumState.Valid);
        FrameChecksums.CheckTransport(frame).Should().Be(ChecksumState.Valid);
    }

    [Fact]
    public void UDP_without_a_checksum_has_none()
    {
        byte[] frame = Frames.Tcp(Frames.Peer, 64);
        frame[23] = 17;
        FrameChecksums.CheckTransport(frame).Should().Be(ChecksumState.Wrong);

        frame.AsSpan(40, 2).Clear();

        FrameChecksums.CheckTransport(frame).Should().Be(ChecksumState.None);
    }

    [Theory]
    [InlineData(6, 0x20)] // more fragments
    [InlineData(7, 0x01)] // not the first one
    [InlineData(9, 1)] // ICMP
    public void Transport_that_is_not_whole_or_unknown_has_none(int offset, byte value)
    {
        byte[] frame = Frames.Tcp(Frames.Peer, 64);
        frame[14 + offset] = value;

        FrameChecksums.CheckTransport(frame).Should().Be(ChecksumState.None);
    }

    [Fact]
    public void Frames_that_are_something_else_have_none()
    {
        byte[] frame = Frames.Tcp(Frames.Peer, 64);
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(12), 0x86DD);
        FrameChecksums.CheckIPv4(frame).Should().Be(ChecksumState.None);
        FrameChecksums.CheckTransport(Frames.TcpOverIpv6(Frames.Peer, 64)).Should().Be(ChecksumState.None);

        byte[] whole = Frames.Tcp(Frames.Peer, 64);
        for (int length = 0; length < whole.Length; length++)
        {
            FrameChecksums.CheckIPv4(whole.AsSpan(0, length)).Should().Be(ChecksumState.None, "of a frame of {0} bytes", length);
            FrameChecksums.CheckTransport(whole.AsSpan(0, length)).Should().Be(ChecksumState.None);
        }
    }

    [Fact]
    public void Any_bytes_do_no_harm()
    {
        Random random = new(8);
        for (int i = 0; i < 100_000; i++)
        {
            byte[] frame = Frames.Tcp(Frames.Peer, random.Next(40));
            for (int j = random.Next(1, 6); j > 0; j--)
                frame[random.Next(12, Math.Min(frame.Length, 50))] = (byte)random.Next(256);
            ReadOnlySpan<byte> part = frame.AsSpan(0, random.Next(frame.Length + 1));

            FrameChecksums.CheckIPv4(part).Should().BeDefined();
            FrameChecksums.CheckTransport(part).Should().BeDefined();
        }
    }
}
