using System.Buffers.Binary;
using VfioUser.Testing;

namespace VfioUser.Tests;

public class RegionInterceptTests
{
    [Fact]
    public void An_interceptor_gets_each_access_as_the_guest_made_it_and_passes_it_on()
    {
        Card card = new();
        using TestGuest guest = TestGuest.Attach(card);

        guest.Bar1.Write(2, 0x1122_3344_5566_7788ul);
        guest.Bar1.Read<uint>(0).Should().Be(0x7788_0000);

        card.Seen.Should().Equal("write 2 8", "read 0 4");
        card.Bar1.Invoking(bar => bar.Intercept(card)).Should().Throw<InvalidOperationException>();
    }

    [Fact]
    public void An_index_and_a_data_register_are_a_window_into_another_region()
    {
        Card card = new();
        using TestGuest guest = TestGuest.Attach(card);

        guest.Bar0.Write(0x00, 8u);
        guest.Bar0.Write(0x04, 0xCAFEu);

        guest.Bar0.Read<uint>(0x04).Should().Be(0xCAFE);
        guest.Bar1.Read<uint>(8).Should().Be(0xCAFE);
    }

    [Theory]
    [InlineData(0xFFD)]
    [InlineData(0x1000)]
    [InlineData(-1)]
    public void A_window_cannot_leave_the_region(long offset)
    {
        Card card = new();

        card.Bar1.Invoking(bar => bar.Read(offset, new byte[4])).Should().Throw<ArgumentOutOfRangeException>();
        card.Bar1.Invoking(bar => bar.Write(offset, new byte[4])).Should().Throw<ArgumentOutOfRangeException>();
        card.Bar1.Invoking(bar => bar.DefaultRead(offset, new byte[4])).Should().Throw<ArgumentOutOfRangeException>();
        card.Bar1.Invoking(bar => bar.DefaultWrite(offset, new byte[4])).Should().Throw<ArgumentOutOfRangeException>();
    }

    private sealed class Card : PciDevice, IRegionHandler
    {
        public Card()
            : base(new PciId(0x1234, 0x5678), PciClass.ProcessingAccelerator)
        {
            Bar bar0 = AddBar(0, BarKind.Memory32, 0x1000);
            Bar1 = AddBar(1, BarKind.Memory32, 0x1000);
            Bar1.AddRegisters<uint>(0, 4);
            Bar1.Intercept(this);
            Register<uint> index = bar0.AddRegister<uint>(0);
            bar0.AddRegister<uint>(4, new()
            {
                OnRead = _ =>
                {
                    Span<byte> data = stackalloc byte[4];
                    Bar1.Read(index.Value, data);
                    return BinaryPrimitives.ReadUInt32LittleEndian(data);
                },
                OnWrite = write =>
                {
                    Span<byte> data = stackalloc byte[4];
                    BinaryPrimitives.WriteUInt32LittleEndian(data, write.New);
                    Bar1.Write(index.Value, data);
                },
            });
        }

        public Bar Bar1 { get; }

        public List<string> Seen { get; } = [];

        public void Read(long offset, Span<byte> destination)
        {
            Seen.Add($"read {offset} {destination.Length}");
            Bar1.DefaultRead(offset, destination);
        }

        public void Write(long offset, ReadOnlySpan<byte> source)
        {
            Seen.Add($"write {offset} {source.Length}");
            Bar1.DefaultWrite(offset, source);
        }
    }
}
