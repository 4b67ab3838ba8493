using System.Diagnostics;
using System.Globalization;

namespace VfioUser.Benchmarks;

/// <summary>Measures all rows, floor and library in turn, and prints the table.</summary>
internal static class Comparison
{
    private const int ServerCore = 0;
    private const int ClientCore = 1;
    private const int Alternations = 21;

    /// <summary>Starts itself again, pinned to the client's core.</summary>
    public static int RunPinned(string[] filters)
    {
        ProcessStartInfo start = new("taskset")
        {
            ArgumentList = { "-c", ClientCore.ToString(CultureInfo.InvariantCulture), Environment.ProcessPath!, "measure" },
        };
        foreach (string filter in filters)
            start.ArgumentList.Add(filter);
        using Process process = Process.Start(start)!;
        process.WaitForExit();
        return process.ExitCode;
    }

    public static int Measure(string[] filters)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("vfio-user-bench-");
        try
        {
            using Peer floor = new(folder.FullName, "floor", ServerCore);
            using Peer ours = new(folder.FullName, "ours", ServerCore, "0");
            using Peer spinning = new(folder.FullName, "ours-spinning", ServerCore, "50");
            using Peer client = new(folder.CreateSubdirectory("client").FullName, "floor", ServerCore);
            Console.WriteLine($"{Alternations} alternations a row, medians; client on core {ClientCore}, servers on core {ServerCore}.");
            Console.WriteLine();
            Console.WriteLine("| what | floor | VfioUser | ratio | target | |");
            Console.WriteLine("|---|---|---|---|---|---|");
            bool met = true;
            foreach (Row row in AllRows(floor, ours, spinning, client))
            {
                if (filters.Length == 0 || filters.Any(filter => row.Name.Contains(filter, StringComparison.OrdinalIgnoreCase)))
                    met &= Print(row);
            }
            return met ? 0 : 1;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static IEnumerable<Row> AllRows(Peer floor, Peer ours, Peer spinning, Peer client) =>
        new SocketRows(floor, ours, spinning).All().Concat(new MessageDmaRows(client).All()).Concat(new LookupRows().All()).Concat(new ApiRows().All());

    private static bool Print(Row row)
    {
        // both are compiled and warm before anything counts
        row.Floor();
        row.Ours();
        row.Ours();
        List<double> floors = [];
        List<double> ours = [];
        List<double> ratios = [];
        for (int i = 0; i < Alternations; i++)
        {
            floors.Add(row.Floor());
            ours.Add(row.Ours());
            ratios.Add(row.IsDifference ? ours[^1] - floors[^1] : ours[^1] / floors[^1]);
        }
        double ratio = Median(ratios);
        bool met = row.IsExplanation || (row.MoreIsBetter ? ratio >= row.Target : ratio <= row.Target);
        string unit = row.IsDifference ? " " + row.Unit : "";
        string sign = row.IsDifference && ratio >= 0 ? "+" : "";
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"| {row.Name} | {Median(floors):G3} {row.Unit} | {Median(ours):G3} {row.Unit} | {sign}{ratio:F2}{unit} | {(row.IsExplanation ? "" : string.Create(CultureInfo.InvariantCulture, $"{(row.MoreIsBetter ? "≥" : "≤")} {sign}{row.Target:F2}{unit}"))} | {(row.IsExplanation ? "" : met ? "met" : "missed")} |"));
        return met;
    }

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);
}
