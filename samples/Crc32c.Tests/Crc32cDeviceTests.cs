using FluentAssertions;
using VfioUser;
using VfioUser.Testing;
using Xunit;

public class Crc32cDeviceTests
{
    [Theory]
    [InlineData(GuestMemoryKind.Mapped)]       // a descriptor comes with DMA_MAP: read in place
    [InlineData(GuestMemoryKind.FileIo)]       // a descriptor of a file that could shrink: read with system calls
    [InlineData(GuestMemoryKind.TwinSocket)]   // no descriptor: DMA_READ on the twin socket
    [InlineData(GuestMemoryKind.SingleSocket)] // no descriptor, no twin socket: DMA_READ between commands
    public void Doorbell_hashes_the_guest_buffer_and_raises_msix_0(GuestMemoryKind memory)
    {
        using var guest = TestGuest.Attach(new Crc32cDevice(), memory); // real server, real sockets, no VM
        Iova buffer = guest.Place("123456789"u8);

        guest.Bar0.Write(0x00, buffer.Value);
        guest.Bar0.Write(0x08, 9u);
        guest.Bar0.Write(0x14, 1u);

        guest.MsiX[0].Count.Should().Be(1);
        guest.Bar0.Read<uint>(0x0C).Should().Be(0xE3069283u); // the published CRC-32C check value
        guest.Bar0.Read<uint>(0x10).Should().Be(0u);
    }

    [Theory]
    [InlineData(GuestMemoryKind.Mapped)]
    [InlineData(GuestMemoryKind.SingleSocket)]
    public void Unmapped_iova_sets_fault_and_keeps_the_connection(GuestMemoryKind memory)
    {
        using var guest = TestGuest.Attach(new Crc32cDevice(), memory);

        guest.Bar0.Write(0x00, 0xDEAD_0000ul);
        guest.Bar0.Write(0x08, 9u);
        guest.Bar0.Write(0x14, 1u);

        guest.Bar0.Read<uint>(0x10).Should().Be(1u);
        guest.MsiX[0].Count.Should().Be(1);
    }

    [Fact]
    public void Driver_finds_one_bar_and_one_msix_vector()
    {
        using var guest = TestGuest.Attach(new Crc32cDevice());

        PciFunction function = guest.StartDriver();

        function.Class.Should().Be(PciClass.ProcessingAccelerator);
        function.Bars.Should().ContainSingle().Which.Size.Should().Be(0x1000);
        function.Interrupts.Should().BeSameAs(guest.MsiX).And.HaveCount(1);
    }

    [Fact]
    public void Read_that_the_guest_refuses_sets_fault_and_the_next_one_is_fine()
    {
        using var guest = TestGuest.Attach(new Crc32cDevice(), GuestMemoryKind.TwinSocket);
        guest.Bar0.Write(0x00, guest.Place("123456789"u8).Value);
        guest.Bar0.Write(0x08, 9u);
        using GuestDmaFault fault = guest.Faults.FailDma();

        guest.Bar0.Write(0x14, 1u);
        guest.Bar0.Read<uint>(0x10).Should().Be(1u);
        guest.Bar0.Write(0x14, 1u);

        guest.Bar0.Read<uint>(0x10).Should().Be(0u);
        guest.Bar0.Read<uint>(0x0C).Should().Be(0xE3069283u);
        guest.MsiX.TakeAll().Should().Equal(2);
    }
}
