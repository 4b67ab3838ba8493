namespace VfioUser.Tests;

public class IovaTests
{
    [Fact]
    public void Adding_moves_on_and_wraps_at_the_top()
    {
        (new Iova(0x1000) + 0x234).Should().Be(new Iova(0x1234));
        (new Iova(ulong.MaxValue) + 2).Should().Be(new Iova(1));
        Iova.Add(new Iova(1), 2).Should().Be(new Iova(3));
    }

    [Fact]
    public void Subtracting_gives_the_distance()
    {
        (new Iova(0x1234) - new Iova(0x1000)).Should().Be(0x234);
        Iova.Subtract(new Iova(5), new Iova(2)).Should().Be(3);
    }

    [Fact]
    public void Addresses_are_ordered_without_a_sign()
    {
        Iova low = new(1);
        Iova high = new(ulong.MaxValue);

        (low < high).Should().BeTrue();
        (low > high).Should().BeFalse();
        (low <= high).Should().BeTrue();
        (low >= high).Should().BeFalse();
        low.CompareTo(high).Should().BeNegative();
    }

    [Fact]
    public void Iova_is_written_in_hexadecimal() => new Iova(0xDEAD_BEEF).ToString().Should().Be("0xdeadbeef");
}
