using System.Diagnostics;
using System.Runtime.InteropServices;
using VfioUser.Protocol;

namespace VfioUser.Benchmarks;

/// <summary>A server that waits in one of the ways, and a client that reads a register.</summary>
internal sealed class WaitServer : IDisposable
{
    private static readonly byte[] Request = Requests.Read(RegionIndex.Bar0, 0, sizeof(uint));

    private readonly Peer _peer;
    private readonly ServerWait _wait;
    private readonly byte[] _reply = GC.AllocateArray<byte>(4096, pinned: true);

    public WaitServer(DirectoryInfo folder, ServerWait wait, int core)
    {
        _wait = wait;
        string path = folder.CreateSubdirectory(Path.GetRandomFileName()).FullName;
        _peer = wait switch
        {
            ServerWait.Floor => new Peer(path, "floor", core),
            ServerWait.Sleeping => new Peer(path, "ours", core, "0"),
            ServerWait.Spinning => new Peer(path, "ours", core, "100"),
            _ => new Peer(path, "ours", core, "adaptive"),
        };
        if (wait == ServerWait.Floor)
            return;
        Bare.Send(_peer.Socket, Requests.Version());
        Bare.ReceiveExactly(_peer.Socket, _reply.AsSpan(0, MessageHeader.WireSize));
        Bare.ReceiveExactly(_peer.Socket, _reply.AsSpan(0, (int)WireFormat.Read<MessageHeader>(_reply).MessageSize - MessageHeader.WireSize));
    }

    /// <summary>Processor time that the server has used.</summary>
    public TimeSpan ProcessorTime => _peer.ProcessorTime;

    /// <summary>Bursts of reads, one after the other, with a pause before each burst.</summary>
    /// <returns>Microseconds a read.</returns>
    public double Burst(int reads, int bursts, TimeSpan pause)
    {
        Announce(reads * bursts);
        long taken = 0;
        for (int i = 0; i < bursts; i++)
        {
            Thread.Sleep(pause);
            long start = Stopwatch.GetTimestamp();
            for (int j = 0; j < reads; j++)
                Read();
            taken += Stopwatch.GetTimestamp() - start;
        }
        return taken * 1e6 / Stopwatch.Frequency / reads / bursts;
    }

    /// <summary>Reads that begin as regularly as a clock ticks, or when the last one has ended if that is later.</summary>
    /// <returns>Median of the reads in microseconds, and the share of a core that the server takes.</returns>
    public (double Median, double Processor) Regular(double perSecond, int reads)
    {
        Announce(reads);
        double[] taken = new double[reads];
        TimeSpan before = ProcessorTime;
        long begin = Stopwatch.GetTimestamp();
        for (int i = 0; i < reads; i++)
        {
            long due = begin + (long)(i / perSecond * Stopwatch.Frequency);
            while (Stopwatch.GetTimestamp() < due)
                Thread.SpinWait(20);
            long start = Stopwatch.GetTimestamp();
            Read();
            taken[i] = Stopwatch.GetElapsedTime(start).TotalMicroseconds;
        }
        double processor = (ProcessorTime - before) / Stopwatch.GetElapsedTime(begin);
        Array.Sort(taken);
        return (taken[reads / 2], processor);
    }

    public void Dispose() => _peer.Dispose();

    private void Read()
    {
        Bare.Send(_peer.Socket, Request);
        Bare.ReceiveExactly(_peer.Socket, _reply.AsSpan(0, Requests.ReadSize + sizeof(uint)));
    }

    private void Announce(int reads)
    {
        FloorPlan plan = new(FloorMode.PingPong, Request.Length, Requests.ReadSize + sizeof(uint), reads, 0);
        if (_wait == ServerWait.Floor)
            Bare.Send(_peer.Socket, MemoryMarshal.AsBytes(new ReadOnlySpan<FloorPlan>(in plan)));
    }
}
