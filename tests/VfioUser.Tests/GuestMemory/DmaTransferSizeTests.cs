using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests;

public class DmaTransferSizeTests
{
    private const ulong At = 0x1_0000_0000;

    [Theory]
    [InlineData(GuestMemoryKind.TwinSocket, 4096, new[] { 4096, 4096, 1808 })]
    [InlineData(GuestMemoryKind.SingleSocket, 4096, new[] { 4096, 4096, 1808 })]
    [InlineData(GuestMemoryKind.SingleSocket, 10_000, new[] { 10_000 })]
    [InlineData(GuestMemoryKind.SingleSocket, 9_999, new[] { 9_999, 1 })]
    public void No_message_is_longer_than_the_client_takes(GuestMemoryKind way, int limit, int[] transfers)
    {
        using DmaRig rig = new(way, capabilities: Capabilities.ClientDefaults with { MaxDataTransferSize = limit });
        SharedMemory memory = rig.Map(At, 0x10000);
        byte[] data = new byte[10_000];
        new Random(1).NextBytes(data);

        rig.Dma.TryWrite(new Iova(At + 5), data).Should().BeTrue();
        byte[] back = new byte[data.Length];
        rig.Dma.TryRead(new Iova(At + 5), back).Should().BeTrue();

        rig.Transfers.Should().Equal([.. transfers, .. transfers]);
        memory.Slice(5, data.Length).ToArray().Should().Equal(data);
        back.Should().Equal(data);
    }

    [Theory]
    [InlineData(GuestMemoryKind.TwinSocket)]
    [InlineData(GuestMemoryKind.SingleSocket)]
    public void No_message_is_longer_than_a_clients_socket_takes_at_once(GuestMemoryKind way)
    {
        using DmaRig rig = new(way);
        rig.Map(At, 0x20000);

        rig.Dma.TryRead(new Iova(At), new byte[0x10001]).Should().BeTrue();

        rig.Transfers.Should().Equal(0x8000, 0x8000, 1);
    }

    [Theory]
    [InlineData(GuestMemoryKind.TwinSocket)]
    [InlineData(GuestMemoryKind.SingleSocket)]
    public void Pieces_allocate_nothing(GuestMemoryKind way)
    {
        using DmaRig rig = new(way);
        rig.Map(At, 1 << 20);
        byte[] data = new byte[1 << 20];
        Transfer(rig, data);

        // not in the first round of a thread that receives for others, for one
        long least = long.MaxValue;
        for (int i = 0; i < 20 && least > 0; i++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            Transfer(rig, data);
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        least.Should().Be(0);
    }

    [Fact]
    public void A_client_that_takes_one_byte_gets_one_byte()
    {
        using DmaRig rig = new(GuestMemoryKind.TwinSocket, capabilities: Capabilities.ClientDefaults with { MaxDataTransferSize = 1 });
        rig.Map(At, 0x1000);

        rig.Dma.TryWrite(new Iova(At), 0x0403_0201u).Should().BeTrue();
        rig.Dma.TryRead(new Iova(At), out uint value).Should().BeTrue();

        value.Should().Be(0x0403_0201);
        rig.Transfers.Should().HaveCount(8).And.OnlyContain(length => length == 1);
    }

    [Theory]
    [ClassData(typeof(EachWay))]
    public void Several_mebibytes_arrive_whole(GuestMemoryKind way)
    {
        using DmaRig rig = new(way);
        SharedMemory memory = rig.Map(At, 4 << 20);
        byte[] data = new byte[(3 << 20) + 123];
        new Random(2).NextBytes(data);

        rig.Dma.TryWrite(new Iova(At + 7), data).Should().BeTrue();
        byte[] back = new byte[data.Length];
        rig.Dma.TryRead(new Iova(At + 7), back).Should().BeTrue();

        back.AsSpan().SequenceEqual(data).Should().BeTrue();
        memory.Slice(7, data.Length).SequenceEqual(data).Should().BeTrue();
        rig.Transfers.Should().NotContain(length => length > ProtocolLimits.MaxDataTransferSize);
    }

    private static void Transfer(DmaRig rig, byte[] data)
    {
        rig.Dma.TryWrite(new Iova(At), data);
        rig.Dma.TryRead(new Iova(At), data);
    }

    [Fact]
    public void A_piece_that_fails_in_the_middle_clears_what_was_read_before_it()
    {
        using DmaRig rig = new(GuestMemoryKind.TwinSocket, capabilities: Capabilities.ClientDefaults with { MaxDataTransferSize = 0x1000 });
        rig.Map(At, 0x1000).Slice(0, 0x1000).Fill(0xFF);
        // announced to the server, but the client's memory knows nothing of it
        rig.Map(DmaRig.ReadWrite, 0, At + 0x1000, 0x1000, null);
        byte[] destination = new byte[0x2000];

        rig.Dma.TryRead(new Iova(At), destination).Should().BeFalse();

        destination.Should().OnlyContain(value => value == 0);
    }
}
