using System.Diagnostics;
using VfioUser.Client;
using VfioUser.Protocol;

namespace VfioUser.Tool.Benching;

/// <summary>Measures accesses at one offset of a region over one connection. One thread; the loops allocate nothing.</summary>
internal sealed class Bench(BenchConnection connection, uint region, ulong offset, int width, TimeSpan time, CancellationToken stop)
{
    /// <summary>Reads that are sent together.</summary>
    public const int Depth = 32;

    // reading the clock after every write would be measurable
    private const int WritesPerClockRead = 256;

    /// <summary>One read at a time; the first tenth of the time warms up and does not count.</summary>
    public LatencyFigures RoundTrip()
    {
        byte[] read = Read(offset, (uint)width);
        LatencyHistogram latencies = new();
        Deadline warm = new(time / 10, stop);
        while (!warm.IsOver)
            RoundTrip(read, latencies);
        latencies.Clear();
        Deadline end = new(time, stop);
        do
            RoundTrip(read, latencies);
        while (!end.IsOver);
        return new LatencyFigures(latencies.Count, Micros(latencies.Min), Micros(latencies.Quantile(0.5)), Micros(latencies.Quantile(0.9)),
            Micros(latencies.Quantile(0.99)), Micros(latencies.Quantile(0.999)), Micros(latencies.Max));
    }

    /// <summary>Reads in groups of <see cref="Depth"/>: one send, then all replies.</summary>
    public RateFigures Pipelined()
    {
        byte[] reads = [.. Enumerable.Repeat(Read(offset, (uint)width), Depth).SelectMany(read => read)];
        long count = 0;
        long start = Stopwatch.GetTimestamp();
        Deadline end = new(time, stop);
        do
        {
            connection.Send(reads);
            for (int i = 0; i < Depth; i++)
                Expect(Command.RegionRead);
            count += Depth;
        }
        while (!end.IsOver);
        return new RateFigures(Depth, count, count / Stopwatch.GetElapsedTime(start).TotalSeconds);
    }

    /// <summary>Reads of the largest size from the start of the region.</summary>
    public LargeFigures Large(int bytes)
    {
        byte[] read = Read(0, (uint)bytes);
        connection.Send(read);
        // a device may refuse large reads of a register region
        if (connection.Receive(Command.RegionRead) is Errno errno and not Errno.None)
            return new LargeFigures(bytes, 0, 0, errno.ToString());
        long count = 0;
        long start = Stopwatch.GetTimestamp();
        Deadline end = new(time, stop);
        do
        {
            connection.Send(read);
            Expect(Command.RegionRead);
            count++;
        }
        while (!end.IsOver);
        return new LargeFigures(bytes, count, count * (double)bytes / 1e9 / Stopwatch.GetElapsedTime(start).TotalSeconds, null);
    }

    /// <summary>Posted writes, one send each; measured until the server has done them all.</summary>
    /// <param name="value">The value to write, of the width.</param>
    public RateFigures PostedWrites(ReadOnlySpan<byte> value)
    {
        byte[] payload = new byte[RegionAccess.WireSize + width];
        WireFormat.Write(payload, new RegionAccess(offset, region, (uint)width));
        value.CopyTo(payload.AsSpan(RegionAccess.WireSize));
        byte[] write = BenchConnection.Message(Command.RegionWrite, payload, MessageFlags.NoReply);
        byte[] read = Read(offset, (uint)width);
        long count = 0;
        long start = Stopwatch.GetTimestamp();
        Deadline end = new(time, stop);
        do
        {
            for (int i = 0; i < WritesPerClockRead; i++)
                connection.Send(write);
            count += WritesPerClockRead;
        }
        while (!end.IsOver);
        connection.Send(read);
        Expect(Command.RegionRead);
        return new RateFigures(1, count, count / Stopwatch.GetElapsedTime(start).TotalSeconds);
    }

    private void RoundTrip(byte[] read, LatencyHistogram latencies)
    {
        long start = Stopwatch.GetTimestamp();
        connection.Send(read);
        Expect(Command.RegionRead);
        latencies.Record((ulong)((Stopwatch.GetTimestamp() - start) * (1e9 / Stopwatch.Frequency)));
    }

    private void Expect(Command command)
    {
        if (connection.Receive(command) is Errno errno and not Errno.None)
            throw new VfioUserException(command, errno);
    }

    private byte[] Read(ulong at, uint count)
    {
        byte[] payload = new byte[RegionAccess.WireSize];
        WireFormat.Write(payload, new RegionAccess(at, region, count));
        return BenchConnection.Message(Command.RegionRead, payload);
    }

    private static double Micros(ulong nanoseconds) => Math.Round(nanoseconds / 1000.0, 2);

    private readonly struct Deadline(TimeSpan time, CancellationToken stop)
    {
        private readonly long _end = Stopwatch.GetTimestamp() + (long)(time.TotalSeconds * Stopwatch.Frequency);

        public bool IsOver
        {
            get
            {
                stop.ThrowIfCancellationRequested();
                return Stopwatch.GetTimestamp() >= _end;
            }
        }
    }
}
