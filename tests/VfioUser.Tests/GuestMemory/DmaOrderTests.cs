using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests;

/// <summary>The accesses of one thread take effect in their order, as another processor sees it: here the guest is a thread.</summary>
/// <remarks>What a processor may do, it does rarely: without the fences, an optimized build fails in some ten of these rounds on x86.</remarks>
public class DmaOrderTests
{
    private const ulong At = 0x1_0000_0000;
    private const int Rounds = 200_000;

    // a cache line apart
    private const int Line = 64;

    private int _deviceAt;
    private int _guestAt;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_write_is_visible_before_a_later_read_reads(bool leased)
    {
        using DmaRig rig = new();
        SharedMemory memory = rig.Map(At, 0x1000);
        using DmaLease lease = Lease(rig);
        uint[] device = new uint[Rounds];
        uint[] guest = new uint[Rounds];

        // each writes its own word and reads the other's: in order, at least one of them sees the other's
        Task other = Background.Run(() =>
        {
            ref uint mine = ref Word(memory, Line);
            ref uint devices = ref Word(memory, 0);
            for (int i = 0; i < Rounds; i++)
            {
                Meet(ref _guestAt, ref _deviceAt, i);
                Volatile.Write(ref mine, (uint)i + 1);
                Interlocked.MemoryBarrier();
                guest[i] = Volatile.Read(ref devices);
            }
        });
        for (int i = 0; i < Rounds; i++)
        {
            Meet(ref _deviceAt, ref _guestAt, i);
            Write(rig, lease, leased, 0, (uint)i + 1);
            device[i] = Read(rig, lease, leased, Line);
        }
        await other.WaitAsync(Background.Timeout);

        Enumerable.Range(0, Rounds).Count(i => device[i] <= i && guest[i] <= i).Should().Be(0, "neither saw the other's write of the same round");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_second_write_is_not_seen_before_the_first(bool leased)
    {
        using DmaRig rig = new();
        SharedMemory memory = rig.Map(At, 0x1000);
        using DmaLease lease = Lease(rig);

        Task<int> reader = Background.Run(() =>
        {
            int wrong = 0;
            for (uint flag = 0; flag < Rounds;)
            {
                flag = Volatile.Read(ref Word(memory, Line));
                if (Volatile.Read(ref Word(memory, 0)) < flag)
                    wrong++;
            }
            return wrong;
        });
        for (uint i = 1; i <= Rounds; i++)
        {
            Write(rig, lease, leased, 0, i);
            Write(rig, lease, leased, Line, i);
        }

        (await reader.WaitAsync(Background.Timeout)).Should().Be(0);
    }

    // both go on within nanoseconds, as long as there is a processor for each
    private static void Meet(ref int mine, ref int others, int round)
    {
        Volatile.Write(ref mine, round + 1);
        for (int i = 0; Volatile.Read(ref others) <= round; i++)
        {
            if (i > 1000)
                Thread.Yield();
        }
    }

    private static ref uint Word(SharedMemory memory, int offset) =>
        ref System.Runtime.InteropServices.MemoryMarshal.AsRef<uint>(memory.Slice((ulong)offset, sizeof(uint)));

    private static DmaLease Lease(DmaRig rig)
    {
        rig.Dma.TryLease(new Iova(At), 0x1000, writable: true, out DmaLease lease).Should().BeTrue();
        return lease;
    }

    private static void Write(DmaRig rig, DmaLease lease, bool leased, int offset, uint value)
    {
        bool done = leased ? lease.TryWrite((ulong)offset, BitConverter.GetBytes(value)) : rig.Dma.TryWrite(new Iova(At + (ulong)offset), value);
        if (!done)
            throw new InvalidOperationException("The memory cannot be written.");
    }

    private static uint Read(DmaRig rig, DmaLease lease, bool leased, int offset)
    {
        Span<byte> bytes = stackalloc byte[sizeof(uint)];
        bool done = leased ? lease.TryRead((ulong)offset, bytes) : rig.Dma.TryRead(new Iova(At + (ulong)offset), bytes);
        return done ? BitConverter.ToUInt32(bytes) : throw new InvalidOperationException("The memory cannot be read.");
    }
}
