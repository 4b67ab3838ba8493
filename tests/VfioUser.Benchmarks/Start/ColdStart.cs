using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;

namespace VfioUser.Benchmarks;

/// <summary>The first second of one process that serves a device.</summary>
/// <param name="FirstReply">From the start of the process until a client has the reply to its version.</param>
/// <param name="Connection">From connecting to that.</param>
/// <param name="FirstRead">The first read of a register.</param>
/// <param name="Reads">The first hundred together.</param>
/// <param name="Steady">All reads until half of the next fifty take at most a quarter longer than at the end; 0 if that is so from the
/// first one on.</param>
/// <param name="LaterConnection">As Connection, of a second client.</param>
/// <remarks>Milliseconds.</remarks>
internal sealed record ColdStart(double FirstReply, double Connection, double FirstRead, double Reads, double Steady, double LaterConnection)
{
    private const int FirstReads = 100;
    private const int Window = 50;
    private const double SteadyRatio = 1.25;
    private static readonly TimeSpan Enough = TimeSpan.FromSeconds(1.5);
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(1);

    public static ColdStart Measure(string program, bool warm)
    {
        string path = Path.Combine(Path.GetTempPath(), string.Create(CultureInfo.InvariantCulture, $"cold-{Environment.ProcessId}"));
        File.Delete(path);
        long start = Stopwatch.GetTimestamp();
        using Process server = Process.Start(program, warm ? [path, "warm"] : [path]);
        try
        {
            using ManyClient client = Connect(path, server, out double connection);
            double firstReply = Milliseconds(start);
            double[] taken = [.. Read(client)];
            double end = Median(taken.AsSpan(taken.Length * 3 / 4));
            int steady = 0;
            while (steady + Window < taken.Length && Median(taken.AsSpan(steady, Window)) > SteadyRatio * end)
                steady++;
            client.Dispose();
            using ManyClient later = Connect(path, server, out double laterConnection);
            return new ColdStart(firstReply, connection, taken[0], taken.Take(FirstReads).Sum(), taken.Take(steady).Sum(), laterConnection);
        }
        finally
        {
            server.Kill();
            server.WaitForExit();
            File.Delete(path);
        }
    }

    public static double Median(ReadOnlySpan<double> values)
    {
        double[] sorted = values.ToArray();
        Array.Sort(sorted);
        return sorted[sorted.Length / 2];
    }

    private static ManyClient Connect(string path, Process server, out double milliseconds)
    {
        while (true)
        {
            long start = Stopwatch.GetTimestamp();
            try
            {
                ManyClient client = new(path);
                milliseconds = Milliseconds(start);
                return client;
            }
            catch (SocketException) when (!server.WaitForExit(Poll))
            {
                // it does not listen yet
            }
        }
    }

    private static List<double> Read(ManyClient client)
    {
        List<double> taken = new(1 << 17);
        long begin = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(begin) < Enough)
        {
            long start = Stopwatch.GetTimestamp();
            client.Ask();
            client.Hear();
            taken.Add(Milliseconds(start));
        }
        return taken;
    }

    private static double Milliseconds(long since) => Stopwatch.GetElapsedTime(since).TotalMilliseconds;
}
