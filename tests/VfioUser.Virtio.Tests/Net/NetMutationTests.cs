using System.Diagnostics;
using VfioUser.Network;

namespace VfioUser.Virtio.Tests;

/// <summary>Whole sessions of drivers that send anything: a neighbour is served meanwhile, and a fresh driver after each.</summary>
public sealed class NetMutationTests
{
    private const int BuffersPerSession = 2048;
    private const int Batch = 8; // fits into the control queue
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);
    private static readonly uint[] Lengths = [0, 1, 11, 12, 26, 60, 1514, 4096, 65_536, 1 << 20, uint.MaxValue];

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
            NetworkSwitch middle = new();
            using NetGuest hostile = new((Layout)random.Next(Enum.GetValues<Layout>().Length), options: new() { Address = Frames.Peer, QueuePairs = 1 + seed % 2 });
            using NetGuest neighbour = new();
            hostile.Device.Plug(middle.Connect(hostile.Device));
            neighbour.Device.Plug(middle.Connect(neighbour.Device));
            Iova pages = hostile.Guest.Memory.Allocate(1 << 20);
            for (int done = 0, restarts = 0; done < BuffersPerSession && restarts < 400; done += Batch)
            {
                if (!TrySend(hostile, random, pages, seed))
                {
                    restarts++;
                    hostile.Driver.Start();
                }
                neighbour.Send(Frames.To(Frames.Broadcast, 60 + random.Next(9000), NetGuest.Own));
            }

            hostile.Driver.Start();
            hostile.Post(4, 2048);
            byte[] frame = Frames.To(Frames.Peer, 1000 + seed % 100, NetGuest.Own);
            neighbour.Send(frame);
            hostile.Receive().Frame.Should().Equal(frame, "the driver of session {0} is a fresh one", seed);
        }
    }

    // False if the driver has broken a queue, or receives: then nobody says when its buffers are used.
    private static bool TrySend(NetGuest guest, Random random, Iova pages, int seed)
    {
        int index = random.Next(guest.Driver.Queues.Count);
        VirtioDriverQueue queue = guest.Driver.Queues[index];
        for (int i = 0; i < Batch; i++)
            queue.Add(Parts(guest, random, pages, index));
        bool scribbles = random.Next(20) == 0;
        if (scribbles)
            Scribble(guest, queue, random);
        queue.NotifyAlways();
        if (scribbles || (index % 2 == 0 && index < guest.Driver.Queues.Count - 1))
            return random.Next(4) > 0 && !scribbles && Drain(queue);
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

    // whether there is room in the ring for as many again
    private static bool Drain(VirtioDriverQueue queue)
    {
        int taken = 0;
        while (queue.TryTake(out _))
            taken++;
        return taken >= Batch;
    }

    private static VirtioPart[] Parts(NetGuest guest, Random random, Iova pages, int index)
    {
        Span<byte> header = stackalloc byte[12];
        (byte[] _, FrameOffload offload) = Frames.Unfinished(Frames.Tcp(NetGuest.Own, 2000), random.Next(3) * 700);
        NetGuest.HeaderOf(offload).CopyTo(header);
        for (int i = random.Next(4); i > 0; i--)
            header[random.Next(header.Length)] = (byte)random.Next(256);
        Iova at = pages + (ulong)random.Next(64) * 64;
        guest.Guest.Memory.Write(at, header);
        Span<byte> frame = stackalloc byte[128];
        Frames.Tcp(NetGuest.Own, 74).CopyTo(frame);
        for (int i = random.Next(4); i > 0; i--)
            frame[random.Next(frame.Length)] = (byte)random.Next(256);
        guest.Guest.Memory.Write(pages + 8192, frame);
        bool isReceive = index % 2 == 0 && index < guest.Driver.Queues.Count - 1;
        List<VirtioPart> parts = [];
        if (!isReceive || random.Next(10) == 0)
            parts.Add(new VirtioPart(at, Length(random, 12), writable: false));
        if (!isReceive && random.Next(4) > 0)
            parts.Add(new VirtioPart(pages + 8192, Length(random, 128), writable: false));
        for (int i = random.Next(3); i > 0; i--)
            parts.Add(new VirtioPart(AnyAddress(random, pages), Lengths[random.Next(Lengths.Length)], isReceive || random.Next(10) == 0));
        if (isReceive || random.Next(3) > 0)
            parts.Add(new VirtioPart(pages + 16384, Length(random, isReceive ? 2048u : 1), writable: true));
        if (random.Next(200) == 0)
            parts.Reverse(); // readable ones behind writable ones break the queue
        return parts.Count > 0 ? [.. parts] : [new VirtioPart(pages, 1, writable: isReceive)];
    }

    private static uint Length(Random random, uint usual) => random.Next(8) == 0 ? Lengths[random.Next(Lengths.Length)] : usual;

    private static Iova AnyAddress(Random random, Iova pages) => random.Next(8) switch
    {
        0 => new Iova((ulong)random.NextInt64()),
        1 => new Iova(ulong.MaxValue - 100),
        2 => new Iova(0),
        _ => pages + 32768 + (ulong)random.Next(1 << 19),
    };

    private static void Scribble(NetGuest guest, VirtioDriverQueue queue, Random random)
    {
        byte[] garbage = new byte[random.Next(1, 64)];
        random.NextBytes(garbage);
        Iova at = random.Next(2) == 0 ? queue.DriverArea : queue.Descriptors + (ulong)random.Next(16 * 64);
        guest.Guest.Memory.Write(at, at == queue.DriverArea ? garbage.AsSpan(0, Math.Min(garbage.Length, 4)) : garbage);
    }
}
