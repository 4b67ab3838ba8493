using System.Diagnostics;
using System.Globalization;

namespace VfioUser.Benchmarks;

/// <summary>Measures all rows, floor and library in turn, and prints the table.</summary>
internal static class Comparison
{
    private const int ServerCore = 0;
    private const int ClientCore = 1;
    private const int Alternations = 21;

    // how much worse than its target a row may be in CI, where machines are busy; and how often it may try
    private const int QuickAlternations = 7;
    private const double QuickMargin = 1.5;
    private const int QuickTries = 6;

    /// <summary>Starts itself again, pinned to the client's core.</summary>
    public static int RunPinned(string[] words)
    {
        ProcessStartInfo start = new("taskset")
        {
            ArgumentList = { "-c", ClientCore.ToString(CultureInfo.InvariantCulture), Environment.ProcessPath!, "measure" },
        };
        foreach (string word in words)
            start.ArgumentList.Add(word);
        using Process process = Process.Start(start)!;
        process.WaitForExit();
        return process.ExitCode;
    }

    public static int Measure(string[] words)
    {
        ComparisonOptions options = ComparisonOptions.Parse(words);
        DirectoryInfo folder = Directory.CreateTempSubdirectory("vfio-user-bench-");
        List<Peer> others = [];
        List<Peer> othersConnecting = [];
        try
        {
            using Peer floor = new(folder.FullName, "floor", ServerCore);
            using Peer ours = new(folder.FullName, "ours", ServerCore, "0");
            using Peer spinning = new(folder.FullName, "ours-spinning", ServerCore, "50");
            using Peer client = new(folder.CreateSubdirectory("client").FullName, "floor", ServerCore);
            DirectoryInfo connecting = folder.CreateSubdirectory("connecting");
            using Peer accepting = new Peer(connecting.FullName, "floor-accepts", ServerCore).Disconnected();
            using Peer oursConnecting = new Peer(connecting.FullName, "ours", ServerCore, "0").Disconnected();
            foreach ((string name, string command) in options.Others)
            {
                others.Add(Peer.Other(command, Path.Combine(folder.FullName, name + ".sock"), ServerCore));
                othersConnecting.Add(Peer.Other(command, Path.Combine(connecting.FullName, name + ".sock"), ServerCore).Disconnected());
            }
            Console.WriteLine($"{(options.IsQuick ? QuickAlternations : Alternations)} alternations a row, medians; client on core {ClientCore}, servers on core {ServerCore}.");
            Console.WriteLine();
            Console.WriteLine($"| what | floor | VfioUser | ratio | target | |{string.Concat(options.Others.Select(other => $" {other.Name} | VfioUser / {other.Name} |"))}");
            Console.WriteLine($"|---|---|---|---|---|---|{string.Concat(options.Others.Select(_ => "---|---|"))}");
            bool met = true;
            IEnumerable<Row> rows = new SocketRows(floor, ours, spinning, others).All()
                .Concat(new ConnectRows(accepting, oursConnecting, othersConnecting).All())
                .Concat(new MessageDmaRows(client).All()).Concat(new LookupRows().All()).Concat(new ApiRows().All());
            foreach (Row row in rows)
            {
                if (options.Filters.Count == 0 ? !(options.IsQuick && row.IsExplanation) : options.Filters.Any(word => row.Name.Contains(word, StringComparison.OrdinalIgnoreCase)))
                    met &= options.IsQuick ? IsNear(row) : Print(row, Alternations, margin: 1);
            }
            return met ? 0 : 1;
        }
        finally
        {
            foreach (Peer other in (Peer[])[.. others, .. othersConnecting])
                other.Dispose();
            folder.Delete(recursive: true);
        }
    }

    // what is slower by an optimisation less is so each time, what is slower by the machine's other work is not
    private static bool IsNear(Row row)
    {
        for (int tries = 1; tries <= QuickTries; tries++)
        {
            if (Print(row, QuickAlternations, QuickMargin))
                return true;
        }
        return false;
    }

    private static bool Print(Row row, int alternations, double margin)
    {
        Func<double>[] all = [row.Floor, row.Ours, .. row.Others];
        // all are compiled and warm before anything counts
        foreach (Func<double> measure in (Func<double>[])[.. all, row.Ours])
            measure();
        List<double[]> taken = [];
        for (int i = 0; i < alternations; i++)
            taken.Add([.. all.Select(measure => measure())]);
        double ratio = Median(taken, one => row.IsDifference ? one[1] - one[0] : one[1] / one[0]);
        bool met = row.Meets(ratio, margin);
        string unit = row.IsDifference ? " " + row.Unit : "";
        string sign = row.IsDifference && ratio >= 0 ? "+" : "";
        string target = row.IsExplanation ? "" : string.Create(CultureInfo.InvariantCulture, $"{(row.MoreIsBetter ? "≥" : "≤")} {sign}{row.Target:F2}{unit}");
        string verdict = (row.IsExplanation, row.Meets(ratio), met) switch
        {
            (true, _, _) => "",
            (_, true, _) => "met",
            (_, _, true) => "near",
            _ => "missed",
        };
        string others = string.Concat(Enumerable.Range(2, all.Length - 2).Select(i => string.Create(CultureInfo.InvariantCulture,
            $" {Median(taken, one => one[i]):G3} {row.Unit} | {Median(taken, one => one[1] / one[i]):F2} |")));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"| {row.Name} | {Median(taken, one => one[0]):G3} {row.Unit} | {Median(taken, one => one[1]):G3} {row.Unit} | {sign}{ratio:F2}{unit} | {target} | {verdict} |{others}"));
        return met;
    }

    private static double Median(List<double[]> taken, Func<double[], double> of) => taken.Select(of).Order().ElementAt(taken.Count / 2);
}
