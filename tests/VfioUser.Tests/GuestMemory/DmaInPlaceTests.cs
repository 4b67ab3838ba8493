using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests;

public class DmaInPlaceTests
{
    private const ulong At = 0x1_0000_0000;

    [Theory]
    [ClassData(typeof(EachWay))]
    public void The_action_reads_the_guests_bytes_and_changes_them_if_it_declared_that(GuestMemoryKind way)
    {
        using DmaRig rig = new(way);
        SharedMemory memory = rig.Map(At, 0x1000);
        memory.Slice(0x10, 4).Fill(0x0F);

        rig.Dma.TryAccess(new Iova(At + 0x10), 4, writable: true, (byte)0xF0, (bytes, state) =>
        {
            bytes.Length.Should().Be(4);
            for (int i = 0; i < bytes.Length; i++)
                bytes[i] |= state;
        }).Should().BeTrue();

        memory.Slice(0x0F, 6).ToArray().Should().Equal(0, 0xFF, 0xFF, 0xFF, 0xFF, 0);
    }

    [Theory]
    [InlineData(GuestMemoryKind.FileIo)]
    [InlineData(GuestMemoryKind.TwinSocket)]
    [InlineData(GuestMemoryKind.SingleSocket)]
    public void A_copy_that_was_not_to_be_written_is_not_written(GuestMemoryKind way)
    {
        using DmaRig rig = new(way);
        SharedMemory memory = rig.Map(At, 0x1000);

        rig.Dma.TryAccess(new Iova(At), 4, writable: false, 0, (bytes, _) => bytes.Fill(0xFF)).Should().BeTrue();

        memory.Slice(0, 4).ToArray().Should().Equal(0, 0, 0, 0);
    }

    [Fact]
    public void Mapped_memory_is_worked_on_in_place()
    {
        using DmaRig rig = new();
        SharedMemory memory = rig.Map(At, 0x1000);

        rig.Dma.TryAccess(new Iova(At), 4, writable: true, memory, (bytes, guest) =>
        {
            bytes[0] = 1;
            guest.Slice(0, 1)[0].Should().Be(1, "the guest sees it at once");
            guest.Slice(1, 1)[0] = 2;
            bytes[1].Should().Be(2, "and the device the guest's change");
        }).Should().BeTrue();
    }

    [Theory]
    [ClassData(typeof(EachWay))]
    public void The_action_is_not_called_when_a_byte_is_missing(GuestMemoryKind way)
    {
        using DmaRig rig = new(way);
        rig.Map(At, 0x1000);
        int calls = 0;

        rig.Dma.TryAccess(new Iova(At + 0xFFF), 2, writable: false, 0, (_, _) => calls++).Should().BeFalse();
        rig.Dma.TryAccess(new Iova(At - 1), 2, writable: false, 0, (_, _) => calls++).Should().BeFalse();

        calls.Should().Be(0);
    }

    [Theory]
    [ClassData(typeof(EachWay))]
    public void Zero_bytes_are_an_empty_span(GuestMemoryKind way)
    {
        using DmaRig rig = new(way);
        rig.Map(At, 0x1000);
        int calls = 0;

        rig.Dma.TryAccess(new Iova(At), 0, writable: true, 0, (bytes, _) => calls += bytes.IsEmpty ? 1 : 100).Should().BeTrue();

        calls.Should().Be(1);
    }

    [Fact]
    public void An_action_that_throws_lets_go_of_the_region()
    {
        using DmaRig rig = new();
        rig.Map(At, 0x1000);

        FluentActions.Invoking(() => rig.Dma.TryAccess(new Iova(At), 1, writable: false, 0, (_, _) => throw new FormatException()))
            .Should().Throw<FormatException>();

        rig.Client.UnmapDma(At, 0x1000);
        rig.Dma.Regions.Should().BeEmpty();
    }

    [Fact]
    public void Mapped_accesses_allocate_nothing()
    {
        using DmaRig rig = new();
        rig.Map(At, 0x1000);
        byte[] buffer = new byte[0x1000];
        AccessAll(rig.Dma, buffer);

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
            AccessAll(rig.Dma, buffer);

        (GC.GetAllocatedBytesForCurrentThread() - before).Should().Be(0);
    }

    [Fact]
    public void A_negative_length_and_a_missing_action_throw()
    {
        Dma dma = new();

        FluentActions.Invoking(() => dma.TryAccess(new Iova(At), -1, writable: false, 0, (_, _) => { })).Should().Throw<ArgumentOutOfRangeException>();
        FluentActions.Invoking(() => dma.TryAccess(new Iova(At), 1, writable: false, 0, null!)).Should().Throw<ArgumentNullException>();
    }

    [Fact]
    public async Task An_aligned_value_is_stored_once()
    {
        // A copy routine may store the same bytes twice. Between the two the guest may have answered, and its answer is gone.
        using DmaRig rig = new();
        SharedMemory memory = rig.Map(At, 0x1000);
        const uint Rounds = 200_000;
        Task<uint> guest = Background.Run(() =>
        {
            ref uint word = ref System.Runtime.InteropServices.MemoryMarshal.Cast<byte, uint>(memory.Slice(0, 4))[0];
            uint answers = 0;
            while (Volatile.Read(ref word) is var value && value != uint.MaxValue)
            {
                if (value == 0)
                    continue;
                answers++;
                Volatile.Write(ref word, 0);
            }
            return answers;
        });

        for (uint i = 0; i < Rounds; i++)
        {
            rig.Dma.TryWrite(new Iova(At), 1u);
            uint answer = 1;
            while (answer != 0)
                rig.Dma.TryRead(new Iova(At), out answer);
        }
        rig.Dma.TryWrite(new Iova(At), uint.MaxValue);

        (await guest.WaitAsync(Background.Timeout)).Should().Be(Rounds);
    }

    private static void AccessAll(Dma dma, byte[] buffer)
    {
        dma.TryRead(new Iova(At), buffer);
        dma.TryWrite(new Iova(At), buffer);
        dma.TryRead(new Iova(At), out ulong value);
        dma.TryWrite(new Iova(At), value);
        dma.TryAccess(new Iova(At), 16, writable: true, 1, static (bytes, state) => bytes[0] = (byte)state);
    }
}
