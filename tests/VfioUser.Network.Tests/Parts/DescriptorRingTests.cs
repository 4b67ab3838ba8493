namespace VfioUser.Network.Tests;

public class DescriptorRingTests
{
    [Fact]
    public void Descriptors_are_taken_from_the_head_to_the_tail_and_around()
    {
        using RingCard card = new(address: 0x1_0000_0000, length: 4 * 16, head: 2, tail: 1);
        List<ulong> taken = [];

        for (; card.Ring.Ready > 0; card.Ring.Advance())
            taken.Add(card.Ring.Next.Value);

        taken.Should().Equal(0x1_0000_0020, 0x1_0000_0030, 0x1_0000_0000);
        (card.Head.Value, card.Ring.Count).Should().Be((1, 4));
    }

    [Theory]
    [InlineData(0u, 0u, 0u)]
    [InlineData(64u, 4u, 0u)]
    [InlineData(64u, 0u, 4u)]
    [InlineData(64u, 0u, uint.MaxValue)]
    [InlineData(64u, uint.MaxValue, 0u)]
    [InlineData(15u, 0u, 0u)]
    [InlineData(64u, 3u, 3u)]
    public void Numbers_that_make_no_ring_make_no_descriptors(uint length, uint head, uint tail)
    {
        using RingCard card = new(0, length, head, tail);

        card.Ring.Ready.Should().Be(0);
    }

    [Theory]
    [InlineData(0u, 0u)]
    [InlineData(64u, uint.MaxValue)]
    [InlineData(64u, 9u)]
    public void A_head_outside_the_ring_begins_again(uint length, uint head)
    {
        using RingCard card = new(ulong.MaxValue, length, head, 0);
        _ = card.Ring.Next;

        card.Ring.Advance();

        card.Head.Value.Should().Be(0);
    }

    [Fact]
    public void A_ring_as_long_as_can_be_has_all_its_descriptors()
    {
        using RingCard card = new(0, uint.MaxValue, 1, 0, descriptorSize: 1);

        (card.Ring.Count, card.Ring.Ready).Should().Be((int.MaxValue, int.MaxValue - 1));
    }

    [Fact]
    public void Descriptors_without_bytes_are_refused()
    {
        Action create = () => _ = new RingCard(0, 0, 0, 0, descriptorSize: 0);

        create.Should().Throw<ArgumentOutOfRangeException>();
    }

    private sealed class RingCard : PciDevice
    {
        public RingCard(ulong address, uint length, uint head, uint tail, int descriptorSize = 16)
            : base(new PciId(Vendor: 0x1B36, Device: 0x00E6), PciClass.NetworkEthernet)
        {
            Bar csr = AddBar(0, BarKind.Memory32, size: 0x1000);
            Head = csr.AddRegister<uint>(0x10);
            Ring = new DescriptorRing(descriptorSize, csr.AddRegister<ulong>(0x00), csr.AddRegister<uint>(0x08), Head, csr.AddRegister<uint>(0x18));
            csr.Write(0x00, address);
            csr.Write(0x08, length);
            csr.Write(0x10, head);
            csr.Write(0x18, tail);
        }

        public DescriptorRing Ring { get; }

        public Register<uint> Head { get; }
    }
}
