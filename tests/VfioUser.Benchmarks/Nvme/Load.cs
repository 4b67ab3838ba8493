using System.Diagnostics;

namespace VfioUser.Benchmarks;

/// <summary>What a queue did: how much, and how long each took.</summary>
internal sealed record Load(double PerSecond, double MedianMicroseconds, double P99Microseconds, long Count)
{
    private const int MaxSamples = 1 << 20;

    /// <summary>Keeps some requests in flight for a while, on each queue from a thread of its own.</summary>
    public static Load Run(IReadOnlyList<ILoadQueue> queues, bool write, int depth, TimeSpan time)
    {
        List<long> all = [];
        long count = 0;
        long start = Stopwatch.GetTimestamp();
        Thread[] threads = [.. queues.Select((queue, number) => new Thread(() =>
        {
            long[] samples = new long[MaxSamples];
            long done = Run(queue, write, depth, time, new Random(number), samples);
            lock (all)
            {
                all.AddRange(samples.Take((int)Math.Min(done, MaxSamples)));
                count += done;
            }
        }))];
        foreach (Thread thread in threads)
            thread.Start();
        foreach (Thread thread in threads)
            thread.Join();
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        all.Sort();
        return new Load(count / seconds, Microseconds(all[all.Count / 2]), Microseconds(all[(int)(all.Count * 0.99)]), count);
    }

    private static long Run(ILoadQueue queue, bool write, int depth, TimeSpan time, Random random, long[] samples)
    {
        const long Blocks = NvmeServer.DiskSize / 4096;
        long[] begun = new long[depth];
        Stack<int> free = new(Enumerable.Range(0, depth));
        long done = 0;
        long start = Stopwatch.GetTimestamp();
        while (true)
        {
            bool put = false;
            while (free.Count > 0 && Stopwatch.GetElapsedTime(start) < time)
            {
                int slot = free.Pop();
                begun[slot] = Stopwatch.GetTimestamp();
                queue.Put(slot, random.NextInt64(Blocks), write);
                put = true;
            }
            if (put)
                queue.Ring();
            if (free.Count == depth)
                return done;
            queue.Wait();
            bool took = false;
            while (queue.TryTake(out int slot))
            {
                samples[done++ % samples.Length] = Stopwatch.GetTimestamp() - begun[slot];
                free.Push(slot);
                took = true;
            }
            if (took)
                queue.Taken();
        }
    }

    private static double Microseconds(long ticks) => ticks * 1e6 / Stopwatch.Frequency;
}
