using VfioUser;
using VfioUser.Testing;

namespace My_Device1.Tests;

public class CardTests
{
    [Theory]
    [InlineData(GuestMemoryKind.Mapped)]       // the device reads guest memory in place
    [InlineData(GuestMemoryKind.FileIo)]       // with system calls
    [InlineData(GuestMemoryKind.TwinSocket)]   // by messages on a socket of their own
    [InlineData(GuestMemoryKind.SingleSocket)] // by messages in between the guest's commands
    public void Doorbell_adds_up_the_guest_buffer_and_raises_msix_0(GuestMemoryKind memory)
    {
        using var guest = TestGuest.Attach(new Card(), memory);
        Iova buffer = guest.Place([1, 2, 3, 250]);

        guest.Bar0.Write(0x00, buffer.Value);
        guest.Bar0.Write(0x08, 4u);
        guest.Bar0.Write(0x14, 1u);

        Assert.Equal(1, guest.MsiX[0].Count);
        Assert.Equal(256u, guest.Bar0.Read<uint>(0x0C));
        Assert.Equal(0u, guest.Bar0.Read<uint>(0x10));
    }

    [Fact]
    public void An_unmapped_address_sets_fault()
    {
        using var guest = TestGuest.Attach(new Card());

        guest.Bar0.Write(0x00, 0xDEAD_0000ul);
        guest.Bar0.Write(0x08, 4u);
        guest.Bar0.Write(0x14, 1u);

        Assert.Equal(1u, guest.Bar0.Read<uint>(0x10));
    }
}
