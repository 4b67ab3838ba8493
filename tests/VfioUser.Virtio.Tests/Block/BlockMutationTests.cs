using System.Buffers.Binary;
using System.Diagnostics;

namespace VfioUser.Virtio.Tests.Block;

/// <summary>Whole sessions of drivers that send anything: a fresh driver is served after each.</summary>
public sealed class BlockMutationTests
{
    private const int BuffersPerSession = 2048;
    private const int Batch = 16;
    // more than the highest address and the longest data take: what the disk answers must not land in the rings
    private const int PagesSize = 2 << 20;
    private const int AddressRange = 1 << 19;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);
    private static readonly uint[] Lengths = [0, 1, 15, 16, 17, 20, 511, 512, 513, 1024, 4096, 65536, 1 << 20, uint.MaxValue];
    private static readonly uint[] Types = [0, 1, 4, 8, 10, 11, 13, 14, uint.MaxValue];
    private static readonly ulong[] Sectors = [0, 1, 8, 2040, 2047, 2048, 1ul << 54, 1ul << 55, ulong.MaxValue];

    [Fact]
    public void Thousands_of_wrong_buffers_hurt_nobody() => Run(sessions: 6);

    [Fact]
    [Trait("Category", "Long")]
    public void A_quarter_of_a_million_wrong_buffers_hurt_nobody() => Run(sessions: (250_000 / BuffersPerSession) + 1);

    private static void Run(int sessions)
    {
        for (int seed = 0; seed < sessions; seed++)
        {
            Random random = new(seed);
            using BlockGuest guest = new(layout: (Layout)random.Next(Enum.GetValues<Layout>().Length), guestMemorySize: 64 << 20);
            Iova pages = guest.Guest.Memory.Allocate(PagesSize);
            for (int done = 0, restarts = 0; done < BuffersPerSession && restarts < 100; done += Batch)
            {
                if (!TrySend(guest, random, pages, seed))
                {
                    restarts++;
                    guest.Driver.Start();
                }
            }

            guest.Driver.Start();
            guest.Write(8, BlockGuest.Pattern(4096, seed));
            guest.Read(8, 4096).Should().Equal(BlockGuest.Pattern(4096, seed), "the driver of session {0} is a fresh one", seed);
        }
    }

    // False if the driver has broken a queue.
    private static bool TrySend(BlockGuest guest, Random random, Iova pages, int seed)
    {
        VirtioDriverQueue queue = guest.Driver.Queues[random.Next(guest.Driver.Queues.Count)];
        for (int i = 0; i < Batch; i++)
            queue.Add(Parts(guest, random, pages));
        bool scribbles = random.Next(20) == 0;
        if (scribbles)
            Scribble(guest, queue, random);
        queue.NotifyAlways();
        if (scribbles)
            return false; // what it answers now is nobody's
        Stopwatch waited = Stopwatch.StartNew();
        for (int taken = 0; taken < Batch;)
        {
            if (queue.TryTake(out _))
            {
                taken++;
                continue;
            }
            if (guest.Driver.ReadNeedsReset())
                return false;
            waited.Elapsed.Should().BeLessThan(Limit, "session {0} has {1} of {2} buffers back", seed, taken, Batch);
        }
        return true;
    }

    private static VirtioPart[] Parts(BlockGuest guest, Random random, Iova pages)
    {
        Iova header = pages + (ulong)random.Next(64) * 64;
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, Types[random.Next(Types.Length)]);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[8..], Sectors[random.Next(Sectors.Length)]);
        if (random.Next(8) == 0)
            random.NextBytes(bytes);
        guest.Guest.Memory.Write(header, bytes);
        List<VirtioPart> parts = [];
        if (random.Next(10) > 0)
            parts.Add(new VirtioPart(header, 16, writable: false));
        int readable = random.Next(3), writable = random.Next(3);
        for (int i = 0; i < readable + writable; i++)
            parts.Add(new VirtioPart(AnyAddress(random, pages), Lengths[random.Next(Lengths.Length)], writable: i >= readable));
        if (random.Next(10) > 0)
            parts.Add(new VirtioPart(pages + 8192 + (ulong)random.Next(64), 1, writable: true));
        if (random.Next(200) == 0)
            parts.Reverse(); // readable ones behind writable ones break the queue
        return parts.Count > 0 ? [.. parts] : [new VirtioPart(pages, 1, writable: true)];
    }

    private static Iova AnyAddress(Random random, Iova pages) => random.Next(8) switch
    {
        0 => new Iova((ulong)random.NextInt64()),
        1 => new Iova(ulong.MaxValue - 100),
        2 => new Iova(0),
        _ => pages + 16384 + (ulong)random.Next(AddressRange),
    };

    private static void Scribble(BlockGuest guest, VirtioDriverQueue queue, Random random)
    {
        byte[] garbage = new byte[random.Next(1, 64)];
        random.NextBytes(garbage);
        Iova at = random.Next(2) == 0 ? queue.DriverArea : queue.Descriptors + (ulong)random.Next(16 * 64);
        guest.Guest.Memory.Write(at, at == queue.DriverArea ? garbage.AsSpan(0, Math.Min(garbage.Length, 4)) : garbage);
    }
}
