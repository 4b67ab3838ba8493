using System.Diagnostics;
using System.Globalization;

namespace VfioUser.Benchmarks;

/// <summary>What polling costs in a process with many devices, of which one is busy or none.</summary>
internal static class ManyWaits
{
    private const int Alternations = 7;
    private const int Devices = 50;
    private const int IdleDevices = 100;
    private const int Reads = 5_000;
    private static readonly TimeSpan IdleTime = TimeSpan.FromSeconds(10);

    public static void Measure(DirectoryInfo folder)
    {
        using Attached sleeping = new(folder, Devices, "sleeping");
        using Attached adaptive = new(folder, Devices);
        sleeping.Read(Reads);
        adaptive.Read(Reads);
        (double Sleeping, double Adaptive)[] taken = [.. Enumerable.Range(0, Alternations).Select(_ => (sleeping.Read(Reads), adaptive.Read(Reads)))];
        double Median(Func<(double Sleeping, double Adaptive), double> of) => taken.Select(of).Order().ElementAt(Alternations / 2);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"| a register read, one of {Devices} devices busy | | {Median(t => t.Sleeping):G3} µs | {Median(t => t.Adaptive):G3} µs | | {Median(t => t.Adaptive / t.Sleeping):F2} |"));
        Console.WriteLine();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{IdleDevices} attached devices that are idle, after a burst each: {Idle(folder, 0):P2} of a core with a thread each, {Idle(folder, 2):P2} with two threads for all."));
    }

    private static double Idle(DirectoryInfo folder, int threads)
    {
        using Attached attached = new(folder, IdleDevices, threads: threads);
        attached.ReadAll();
        // what is compiled or collected after the burst is no wait
        Thread.Sleep(TimeSpan.FromSeconds(2));
        TimeSpan before = attached.ProcessorTime;
        Thread.Sleep(IdleTime);
        return (attached.ProcessorTime - before) / IdleTime;
    }

    private sealed class Attached : IDisposable
    {
        private readonly Child _server;
        private readonly ManyClient[] _clients;

        public Attached(DirectoryInfo folder, int count, string? sleeping = null, int threads = 0)
        {
            string path = folder.CreateSubdirectory(Path.GetRandomFileName()).FullName;
            string[] arguments = ["devices", path, threads.ToString(CultureInfo.InvariantCulture), .. sleeping is null ? (ReadOnlySpan<string>)[] : [sleeping]];
            _server = new Child("0,1", arguments);
            _server.Ask(string.Create(CultureInfo.InvariantCulture, $"add {count}"));
            _clients = [.. Enumerable.Range(0, count).Select(device => new ManyClient(DevicesProcess.PathOf(path, device)))];
        }

        public TimeSpan ProcessorTime => _server.ProcessorTime;

        // microseconds each
        public double Read(int times)
        {
            long start = Stopwatch.GetTimestamp();
            for (int i = 0; i < times; i++)
            {
                _clients[0].Ask();
                _clients[0].Hear();
            }
            return Stopwatch.GetElapsedTime(start).TotalMicroseconds / times;
        }

        public void ReadAll()
        {
            foreach (ManyClient client in _clients)
            {
                for (int i = 0; i < 100; i++)
                {
                    client.Ask();
                    client.Hear();
                }
            }
        }

        public void Dispose()
        {
            foreach (ManyClient client in _clients)
                client.Dispose();
            _server.Dispose();
        }
    }
}
