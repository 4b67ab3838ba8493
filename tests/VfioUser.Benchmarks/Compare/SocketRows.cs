using System.Diagnostics;
using System.Runtime.InteropServices;
using VfioUser.Protocol;

namespace VfioUser.Benchmarks;

/// <summary>The rows that cross a socket. The client does the same calls to both servers.</summary>
internal sealed class SocketRows(Peer floor, Peer ours, Peer oursSpinning, IReadOnlyList<Peer> others)
{
    private const int Large = 1 << 20;
    private const int SpinMicroseconds = 50;
    private const int UnmapReply = MessageHeader.WireSize + DmaUnmap.WireSize;
    private readonly byte[] _buffer = GC.AllocateArray<byte>(2 * Large, pinned: true);
    private readonly SharedMemory _memory = SharedMemory.Create(4096);
    private readonly EventFd _event = new();

    public IEnumerable<Row> All()
    {
        Negotiate(ours);
        Negotiate(oursSpinning);
        foreach (Peer other in others)
            Negotiate(other);
        byte[] read = Requests.Read(RegionIndex.Bar0, 0, 4);
        byte[] write = Requests.Write(RegionIndex.Bar0, 8, 8, posted: true);
        byte[] largeRead = Requests.Read(RegionIndex.Bar2, 0, Large);
        byte[] largeWrite = Requests.Write(RegionIndex.Bar2, 0, Large, posted: false);
        yield return PingPong("4-byte region read, round trip", 1.10, read, Requests.ReadSize + 4, 5_000);
        yield return PingPong("the same, server spinning", 1.10, read, Requests.ReadSize + 4, 5_000, serverSpins: true);
        yield return PingPong("the same, client spinning too", 1.10, read, Requests.ReadSize + 4, 5_000, serverSpins: true, clientSpins: true);
        yield return PausingFloor(read, Requests.ReadSize + 4, 5_000, nanoseconds: 50);
        yield return PausingFloor(read, Requests.ReadSize + 4, 5_000, nanoseconds: 150);
        yield return Posted("posted 8-byte write, one a send", 1.15, write, 1, 50_000);
        yield return Posted("posted 8-byte write, 64 a send", 2.0, write, 64, 640_000);
        yield return Multi(write, 64, 640_000);
        yield return Pipelined(read, 32, 1_000);
        yield return Bandwidth("1 MiB region read", largeRead, Requests.ReadSize + Large, 100);
        yield return Bandwidth("1 MiB region write", largeWrite, Requests.ReadSize, 100);
        yield return Interrupt(5_000);
        yield return MapOrUnmap("map 4 KiB with descriptor", 1.30, timeMap: true, 500, FloorMode.Map);
        yield return MapOrUnmap("unmap the same", 1.20, timeMap: false, 500, FloorMode.Map);
        yield return MapOrUnmap("map 4 KiB with descriptor, beside a floor without mmap", 1.30, timeMap: true, 500, FloorMode.Take);
        yield return MapOrUnmap("unmap the same, beside a floor without munmap", 1.20, timeMap: false, 500, FloorMode.Take);
    }

    private Row PingPong(string name, double target, byte[] request, int replyBytes, int rounds, bool serverSpins = false, bool clientSpins = false)
    {
        TimeSpan clientSpin = clientSpins ? TimeSpan.FromMicroseconds(SpinMicroseconds) : TimeSpan.Zero;
        return new Row(name, "µs", target,
            () =>
            {
                Plan(new FloorPlan(FloorMode.PingPong, request.Length, replyBytes, rounds, serverSpins ? SpinMicroseconds : 0));
                return RoundTrips(floor, request, replyBytes, rounds, clientSpin);
            },
            () => RoundTrips(serverSpins ? oursSpinning : ours, request, replyBytes, rounds, clientSpin))
        {
            Others = serverSpins ? [] : Each(other => RoundTrips(other, request, replyBytes, rounds, clientSpin)),
        };
    }

    private Func<double>[] Each(Func<Peer, double> measure) => [.. others.Select(other => (Func<double>)(() => measure(other)))];

    // what a server costs that is slower by so much than the floor is where the client sleeps
    private Row PausingFloor(byte[] request, int replyBytes, int rounds, int nanoseconds)
    {
        return new Row($"why: a spinning floor that pauses for {nanoseconds} ns, beside one that does not", "µs", 0, () => Measure(0), () => Measure(nanoseconds))
        {
            IsExplanation = true,
        };

        double Measure(int pause)
        {
            Plan(new FloorPlan(FloorMode.PingPong, request.Length, replyBytes, rounds, SpinMicroseconds, pause));
            return RoundTrips(floor, request, replyBytes, rounds, TimeSpan.Zero);
        }
    }

    private Row Posted(string name, double target, byte[] write, int perSend, int writes)
    {
        byte[] batch = Requests.Repeat(write, perSend);
        byte[] sync = Requests.Read(RegionIndex.Bar0, 0, 4);
        return new Row(name, "µs", target,
            () =>
            {
                Plan(new FloorPlan(FloorMode.Sink, batch.Length, Requests.ReadSize + 4, writes / perSend, 0));
                return Sends(floor, batch, null, writes / perSend) / perSend;
            },
            () => Sends(ours, batch, sync, writes / perSend) / perSend)
        {
            Others = Each(other => Sends(other, batch, sync, writes / perSend) / perSend),
        };
    }

    // beside our own single writes: this is what the command is for
    private Row Multi(byte[] write, int perMessage, int writes)
    {
        byte[] multi = Requests.WriteMulti(RegionIndex.Bar0, 8, 8, perMessage);
        byte[] sync = Requests.Read(RegionIndex.Bar0, 0, 4);
        return new Row($"{perMessage} writes in one REGION_WRITE_MULTI, beside single posted ones", "µs", 0.2,
            () => Sends(ours, write, sync, writes / perMessage),
            () => Sends(ours, multi, sync, writes / perMessage) / perMessage);
    }

    private Row Pipelined(byte[] read, int depth, int rounds)
    {
        byte[] batch = Requests.Repeat(read, depth);
        int replyBytes = depth * (Requests.ReadSize + 4);
        return new Row($"{depth} pipelined 4-byte reads, each", "µs", 1.25,
            () =>
            {
                Plan(new FloorPlan(FloorMode.PingPong, batch.Length, replyBytes, rounds, 0));
                return RoundTrips(floor, batch, replyBytes, rounds) / depth;
            },
            () => RoundTrips(ours, batch, replyBytes, rounds) / depth)
        {
            Others = Each(other => RoundTrips(other, batch, replyBytes, rounds) / depth),
        };
    }

    private Row Bandwidth(string name, byte[] request, int replyBytes, int rounds) => new(name, "GB/s", 0.75,
        () =>
        {
            Plan(new FloorPlan(FloorMode.PingPong, request.Length, replyBytes, rounds, 0));
            return Large / 1e3 / RoundTrips(floor, request, replyBytes, rounds);
        },
        () => Large / 1e3 / RoundTrips(ours, request, replyBytes, rounds))
    {
        Others = Each(other => Large / 1e3 / RoundTrips(other, request, replyBytes, rounds)),
    };

    private Row Interrupt(int rounds)
    {
        byte[] ring = Requests.Write(RegionIndex.Bar0, OurServer.DoorbellOffset, 4, posted: true);
        HashSet<Peer> bound = [];
        return new Row("eventfd from doorbell write, round trip", "µs", 1.10,
            () =>
            {
                Plan(new FloorPlan(FloorMode.Signal, ring.Length, 0, rounds, 0), _event.Handle);
                return Rings(floor, ring, rounds);
            },
            () => BoundRings(ours))
        {
            Others = Each(BoundRings),
        };

        double BoundRings(Peer peer)
        {
            if (bound.Add(peer))
                Exchange(peer, Requests.SetIrq(), MessageHeader.WireSize, _event.Handle);
            return Rings(peer, ring, rounds);
        }
    }

    private Row MapOrUnmap(string name, double target, bool timeMap, int rounds, FloorMode floorMode)
    {
        byte[] map = Requests.Map(0x1000_0000);
        byte[] unmap = Requests.Unmap(0x1000_0000);
        return new Row(name, "µs", target,
            () =>
            {
                // one plan for all rounds: a server that has just received one is awake when the request comes
                Plan(new FloorPlan(floorMode, map.Length, UnmapReply, rounds, 0));
                return MapsAndUnmaps(floor, map, unmap, timeMap, rounds);
            },
            () => MapsAndUnmaps(ours, map, unmap, timeMap, rounds))
        {
            Others = Each(other => MapsAndUnmaps(other, map, unmap, timeMap, rounds)),
        };
    }

    private double MapsAndUnmaps(Peer peer, byte[] map, byte[] unmap, bool timeMap, int rounds)
    {
        long ticks = 0;
        for (int i = 0; i < rounds; i++)
        {
            long start = Stopwatch.GetTimestamp();
            Exchange(peer, map, MessageHeader.WireSize, _memory.File);
            long between = Stopwatch.GetTimestamp();
            Exchange(peer, unmap, UnmapReply);
            ticks += timeMap ? between - start : Stopwatch.GetTimestamp() - between;
        }
        return ticks * 1e6 / Stopwatch.Frequency / rounds;
    }

    private double RoundTrips(Peer peer, byte[] request, int replyBytes, int rounds, TimeSpan spin = default)
    {
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < rounds; i++)
        {
            Bare.Send(peer.Socket, request);
            Bare.ReceiveExactly(peer.Socket, _buffer.AsSpan(0, replyBytes), spin);
        }
        return Stopwatch.GetElapsedTime(start).TotalMicroseconds / rounds;
    }

    private double Sends(Peer peer, byte[] batch, byte[]? sync, int sends)
    {
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < sends; i++)
            Bare.Send(peer.Socket, batch);
        if (sync is not null)
            Bare.Send(peer.Socket, sync);
        Bare.ReceiveExactly(peer.Socket, _buffer.AsSpan(0, Requests.ReadSize + 4));
        return Stopwatch.GetElapsedTime(start).TotalMicroseconds / sends;
    }

    private double Rings(Peer peer, byte[] ring, int rounds)
    {
        int fd = (int)_event.Handle.DangerousGetHandle();
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < rounds; i++)
        {
            Bare.Send(peer.Socket, ring);
            Bare.WaitEvent(fd);
        }
        return Stopwatch.GetElapsedTime(start).TotalMicroseconds / rounds;
    }

    private void Exchange(Peer peer, byte[] request, int replyBytes, SafeHandle? fd = null)
    {
        Bare.Send(peer.Socket, request, fd is null ? -1 : (int)fd.DangerousGetHandle());
        Span<byte> reply = _buffer.AsSpan(0, replyBytes);
        Bare.ReceiveExactly(peer.Socket, reply);
        if (peer != floor && WireFormat.Read<MessageHeader>(reply).IsError)
            throw new InvalidOperationException(MessageText.Describe(WireFormat.Read<MessageHeader>(reply), default, 0));
    }

    private void Plan(FloorPlan plan, SafeHandle? fd = null) =>
        Bare.Send(floor.Socket, MemoryMarshal.AsBytes(new ReadOnlySpan<FloorPlan>(in plan)), fd is null ? -1 : (int)fd.DangerousGetHandle());

    private void Negotiate(Peer peer)
    {
        Bare.Send(peer.Socket, Requests.Version());
        Bare.ReceiveExactly(peer.Socket, _buffer.AsSpan(0, MessageHeader.WireSize));
        uint size = WireFormat.Read<MessageHeader>(_buffer).MessageSize;
        Bare.ReceiveExactly(peer.Socket, _buffer.AsSpan(0, (int)size - MessageHeader.WireSize));
    }
}
