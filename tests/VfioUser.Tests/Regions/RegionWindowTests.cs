using VfioUser.Testing;

namespace VfioUser.Tests.Regions;

/// <summary>Numbers that a device reads and writes in a region of its own as the guest does.</summary>
public class RegionWindowTests
{
    [Fact]
    public void A_window_acts_as_the_register_behind_it()
    {
        using Card card = new();
        using TestGuest guest = TestGuest.Attach(card);

        guest.Bar2.Write(0x00, 0x100u);
        guest.Bar2.Read<uint>(0x04).Should().Be(0x89AB_CDEF);
        guest.Bar2.Write(0x04, 0x0000_00FFu);

        guest.Bar0.Read<uint>(0x100).Should().Be(0x89AB_CD00, "ones clear");
    }

    [Fact]
    public void Part_of_a_register_is_its_bytes_little_endian()
    {
        using Card card = new();
        using TestGuest guest = TestGuest.Attach(card);

        guest.Bar2.Write(0x00, 0x102u);

        guest.Bar2.Read<ushort>(0x08).Should().Be(0x89AB);
    }

    [Fact]
    public void Bytes_outside_of_the_region_are_a_mistake_of_the_device()
    {
        using Card card = new();

        card.Invoking(one => one.Memory.Read<uint>(0xFFD)).Should().Throw<ArgumentOutOfRangeException>();
        card.Invoking(one => one.Memory.Write(-1, (byte)0)).Should().Throw<ArgumentOutOfRangeException>();
    }

    private sealed class Card : PciDevice
    {
        public Card()
            : base(new PciId(0x1234, 0x5678), PciClass.Unclassified)
        {
            Memory = AddBar(0, BarKind.Memory32, size: 0x1000);
            Memory.AddRegister<uint>(0x100, new() { Name = "STATUS", WriteOneToClear = ~0u, ResetValue = 0x89AB_CDEF });
            Bar window = AddBar(2, BarKind.Memory32, size: 0x1000);
            Register<uint> index = window.AddRegister<uint>(0x00, new() { Name = "INDEX" });
            window.AddRegister<uint>(0x04, new()
            {
                Name = "DATA",
                OnRead = _ => Memory.Read<uint>(index.Value),
                OnWrite = write => Memory.Write(index.Value, write.New),
            });
            window.AddRegister<ushort>(0x08, new() { Name = "HALF", OnRead = _ => Memory.Read<ushort>(index.Value) });
        }

        public Bar Memory { get; }
    }
}
