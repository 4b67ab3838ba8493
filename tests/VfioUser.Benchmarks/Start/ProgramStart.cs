using System.Diagnostics;
using System.Globalization;
using VfioUser.Client;

namespace VfioUser.Benchmarks;

/// <summary>A published server: its size, how long it takes until it has answered a client, and the memory that it holds then.</summary>
internal static class ProgramStart
{
    private const int Runs = 11;
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(30);

    /// <param name="program">The published NVMe sample.</param>
    public static int Run(string program)
    {
        List<double> milliseconds = [], mebibytes = [];
        for (int i = 0; i < Runs; i++)
        {
            string socketPath = Path.Combine(Path.GetTempPath(), string.Create(CultureInfo.InvariantCulture, $"start-{Environment.ProcessId}-{i}"));
            long start = Stopwatch.GetTimestamp();
            using Process server = Process.Start(new ProcessStartInfo(program, ["serve", socketPath, "--size", "64M"])
            {
                RedirectStandardOutput = true,
                UseShellExecute = false,
            })!;
            // what it says first comes after it listens
            if (server.StandardOutput.ReadLine() is null)
                return 1;
            using (VfioUserClient client = VfioUserClient.Connect(socketPath))
                milliseconds.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            server.Refresh();
            mebibytes.Add(server.WorkingSet64 / (double)(1 << 20));
            server.Kill();
            if (!server.WaitForExit(Timeout))
                return 1;
            File.Delete(socketPath);
        }
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{new FileInfo(program).Length / 1e6:F1} MB; {Median(milliseconds):F0} ms until a client is attached; {Median(mebibytes):F0} MiB resident then ({Runs} starts, medians)"));
        return 0;
    }

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);
}
