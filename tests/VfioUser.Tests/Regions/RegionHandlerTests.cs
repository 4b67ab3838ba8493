using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests;

public class RegionHandlerTests
{
    [Fact]
    public void The_handler_gets_what_lies_between_the_parts()
    {
        RecordingHandler handler = new();
        Register<uint> register = null!;
        using var guest = TestGuest.Attach(new BlankDevice(device =>
            register = device.AddBar(0, BarKind.Memory32, 0x1000, handler).AddRegister<uint>(0x10)));
        register.Value = 0xAABB_CCDD;
        byte[] read = new byte[12];

        guest.Bar0.Read(0x0C, read);
        guest.Bar0.Write(0x0E, [1, 2, 3, 4, 5, 6, 7, 8]);

        read.Should().Equal(0x0C, 0x0D, 0x0E, 0x0F, 0xDD, 0xCC, 0xBB, 0xAA, 0x14, 0x15, 0x16, 0x17);
        handler.Reads.Should().Equal((0x0C, 4), (0x14, 4));
        handler.Writes.Should().BeEquivalentTo([(0x0E, new byte[] { 1, 2 }), (0x14, new byte[] { 7, 8 })]);
        register.Value.Should().Be(0x0605_0403);
    }

    [Fact]
    public void Bytes_that_a_handler_does_not_fill_read_as_zeros()
    {
        RecordingHandler handler = new() { Fills = false };
        using var guest = TestGuest.Attach(new BlankDevice(device => device.AddBar(0, BarKind.Memory32, 0x1000, handler)));

        for (int i = 1; i < 64; i++)
        {
            byte[] read = new byte[i];
            read.AsSpan().Fill(0xFF);
            guest.Bar0.Read(0, read);
            read.Should().OnlyContain(value => value == 0);
        }
        handler.FoundZeros.Should().BeTrue();
    }

    [Fact]
    public void Without_a_handler_gaps_read_as_zeros_and_ignore_writes()
    {
        using var guest = TestGuest.Attach(new BlankDevice(device => device.AddBar(0, BarKind.Memory32, 0x1000).AddRegister<uint>(0x10)));

        guest.Bar0.Write(0x20, ulong.MaxValue);

        guest.Bar0.Read<ulong>(0x20).Should().Be(0);
        guest.Bar0.Read<ulong>(0xFF8).Should().Be(0);
    }

    [Fact]
    public void Any_length_reaches_the_handler_in_one_piece()
    {
        RecordingHandler handler = new();
        using var guest = TestGuest.Attach(new BlankDevice(device => device.AddBar(0, BarKind.Memory32, 1 << 20, handler)));
        byte[] whole = new byte[1 << 20];

        guest.Bar0.Read(0, whole);
        guest.Bar0.Write(0, whole);
        guest.Bar0.Read(0x7, whole.AsSpan(0, 3));

        handler.Reads.Should().Equal((0, 1 << 20), (7, 3));
        handler.Writes.Should().ContainSingle().Which.Bytes.Length.Should().Be(1 << 20);
    }

    [Theory]
    [InlineData(0x1000, 1)]
    [InlineData(0x0FFF, 2)]
    [InlineData(0x0000, 0x1001)]
    [InlineData(-1, 1)]
    [InlineData(-1, 2)]
    public void Access_outside_the_region_is_refused_and_does_not_reach_the_handler(long offset, int length)
    {
        RecordingHandler handler = new();
        using var guest = TestGuest.Attach(new BlankDevice(device => device.AddBar(0, BarKind.Memory32, 0x1000, handler)));

        guest.Bar0.Invoking(bar => bar.Read(offset, new byte[length])).Should().Throw<VfioUserException>().Which.Errno.Should().Be(Errno.EINVAL);
        guest.Bar0.Invoking(bar => bar.Write(offset, new byte[length])).Should().Throw<VfioUserException>().Which.Errno.Should().Be(Errno.EINVAL);

        handler.Reads.Should().BeEmpty();
        handler.Writes.Should().BeEmpty();
    }

    [Fact]
    public void An_access_of_no_bytes_touches_nothing()
    {
        RecordingHandler handler = new();
        using var guest = TestGuest.Attach(new BlankDevice(device => device.AddBar(0, BarKind.Memory32, 0x1000, handler)));

        guest.Bar0.Read(0x1000, []);
        guest.Bar0.Write(0x800, []);

        handler.Reads.Should().BeEmpty();
        handler.Writes.Should().BeEmpty();
    }

    [Fact]
    public void A_region_that_the_device_lacks_has_no_size_and_cannot_be_accessed()
    {
        using var guest = TestGuest.Attach(new BlankDevice());

        guest.Bar3.GetSize().Should().Be(0);
        guest.Bar3.Invoking(bar => bar.Read<byte>(0)).Should().Throw<VfioUserException>().Which.Errno.Should().Be(Errno.EINVAL);
        guest.Bar3.Invoking(bar => bar.Write<byte>(0, 0)).Should().Throw<VfioUserException>().Which.Errno.Should().Be(Errno.EINVAL);
    }
}
