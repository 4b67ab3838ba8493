using System.Diagnostics;
using System.Globalization;

namespace VfioUser.Benchmarks;

/// <summary>What it brings, and what it costs, that a server polls before it sleeps.</summary>
internal static class Waits
{
    private const int ServerCore = 0;
    private const int ClientCore = 1;
    private const int Alternations = 11;
    private static readonly double[] Rates = [100, 300, 1_000, 2_000, 3_000, 5_000, 7_000, 10_000, 14_000, 20_000, 30_000, 50_000];

    /// <summary>Starts itself again, pinned to the client's core.</summary>
    public static int RunPinned(string[] words)
    {
        using Process process = Process.Start("taskset", ["-c", ClientCore.ToString(CultureInfo.InvariantCulture), Environment.ProcessPath!, "measure-waits", .. words]);
        process.WaitForExit();
        return process.ExitCode;
    }

    public static int Measure(string[] words)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("vfio-user-waits-");
        try
        {
            if (words is ["rates", .. string[] svg])
                MeasureRates(folder, svg.FirstOrDefault());
            else
                MeasureRows(folder);
            return 0;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static void MeasureRows(DirectoryInfo folder)
    {
        Console.WriteLine("| what | floor | sleeping | adaptive | adaptive / floor | adaptive / sleeping |");
        Console.WriteLine("|---|---|---|---|---|---|");
        Row(folder, ServerCore, "200 register reads after a pause, each", static server => server.Burst(200, 20, TimeSpan.FromMilliseconds(5)));
        Row(folder, ServerCore, "a register read each millisecond", static server => server.Regular(1_000, 300).Median);
        Row(folder, ServerCore, "a single read after 5 ms", static server => server.Burst(1, 60, TimeSpan.FromMilliseconds(5)));
        Row(folder, ClientCore, "register reads, both processes on one core", static server => server.Burst(2_000, 3, TimeSpan.FromMilliseconds(5)));
        ManyWaits.Measure(folder);
    }

    private static void Row(DirectoryInfo folder, int core, string name, Func<WaitServer, double> measure)
    {
        using WaitServer floor = new(folder, ServerWait.Floor, core);
        using WaitServer sleeping = new(folder, ServerWait.Sleeping, core);
        using WaitServer adaptive = new(folder, ServerWait.Adaptive, core);
        WaitServer[] servers = [floor, sleeping, adaptive];
        foreach (WaitServer server in servers)
            Compile(server);
        double[][] taken = [.. Enumerable.Range(0, Alternations).Select(_ => servers.Select(measure).ToArray())];
        double Median(Func<double[], double> of) => taken.Select(of).Order().ElementAt(Alternations / 2);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"| {name} | {Median(t => t[0]):G3} µs | {Median(t => t[1]):G3} µs | {Median(t => t[2]):G3} µs | {Median(t => t[2] / t[0]):F2} | {Median(t => t[2] / t[1]):F2} |"));
    }

    private static void MeasureRates(DirectoryInfo folder, string? svg)
    {
        using WaitServer sleeping = new(folder, ServerWait.Sleeping, ServerCore);
        using WaitServer adaptive = new(folder, ServerWait.Adaptive, ServerCore);
        using WaitServer spinning = new(folder, ServerWait.Spinning, ServerCore);
        WaitServer[] servers = [sleeping, adaptive, spinning];
        List<RatePoint> points = [];
        Console.WriteLine("| reads a second | sleeping | processor | adaptive | processor | polling 100 µs | processor |");
        Console.WriteLine("|---|---|---|---|---|---|---|");
        foreach (WaitServer server in servers)
            Compile(server);
        foreach (double rate in Rates)
        {
            (double Median, double Processor)[] figures = [.. servers.Select(server => server.Regular(rate, (int)Math.Clamp(rate, 100, 20_000)))];
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {rate:N0} | {string.Join(" | ", figures.Select(Text))} |"));
            points.Add(new RatePoint(rate, figures));
        }
        if (svg is not null)
            File.WriteAllText(svg, RateChart.Draw(points));

        static string Text((double Median, double Processor) figure) =>
            string.Create(CultureInfo.InvariantCulture, $"{figure.Median:F1} µs | {figure.Processor:P0}");
    }

    // and warm
    private static void Compile(WaitServer server) => server.Burst(20_000, 1, TimeSpan.Zero);
}
