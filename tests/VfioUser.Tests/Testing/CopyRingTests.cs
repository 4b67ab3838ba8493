using VfioUser.Testing;

namespace VfioUser.Tests;

/// <summary>Tests of a part by itself, as docs/testing.md shows them.</summary>
public sealed class CopyRingTests
{
    [Theory]
    [InlineData(DmaBacking.Mapped)]
    [InlineData(DmaBacking.FileIo)]
    [InlineData(DmaBacking.Message)]
    public void Ring_copies_what_its_descriptor_names_and_interrupts_after_50_us(DmaBacking memory)
    {
        using TestDevice device = new(memory);
        CopyRing ring = new(device);
        using TestIrq done = new(ring.Done);
        Iova to = device.Memory.Allocate(5);
        Iova descriptor = device.Memory.Allocate(24);
        device.Memory.WriteStruct(descriptor, new CopyRing.Descriptor(device.Memory.Place("hello"u8).Value, to.Value, Length: 5));

        device.Write(ring.Bar, 0x00, descriptor.Value);
        device.Write(ring.Bar, 0x0C, 1u);
        device.Advance(TimeSpan.FromMicroseconds(50));

        device.Memory.ReadBytes(to, 5).Should().Equal("hello"u8.ToArray());
        done.Count.Should().Be(1);
    }

    [Fact]
    public void Descriptor_outside_of_memory_stays_in_the_ring()
    {
        using TestDevice device = new();
        CopyRing ring = new(device);
        using TestIrq done = new(ring.Done);

        device.Write(ring.Bar, 0x00, ulong.MaxValue - 7);
        device.Write(ring.Bar, 0x0C, 1u);
        device.Advance(TimeSpan.FromSeconds(1));

        device.Read<uint>(ring.Bar, 0x08).Should().Be(0);
        done.Count.Should().Be(0);
    }
}
