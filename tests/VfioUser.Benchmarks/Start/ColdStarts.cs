using System.Globalization;

namespace VfioUser.Benchmarks;

/// <summary>The first second of a served device, published in several ways, with a warm-up and without.</summary>
internal static class ColdStarts
{
    private const int Processes = 20;

    /// <param name="words">Ways to publish; none for all. In the repository's folder.</param>
    public static int Run(string[] words)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("vfio-user-cold-");
        try
        {
            (Publishing By, string Program)[] programs = [.. Publishing.All.Where(by => words.Length == 0 || words.Contains(by.Word))
                .Select(by => (by, by.Publish(folder)!)).Where(published => published.Item2 is not null)];
            // what is measured with has to be compiled before, too
            foreach ((_, string program) in programs)
                ColdStart.Measure(program, warm: false);
            Console.WriteLine($"Medians of {Processes} processes each, in turn, and the slowest of them.");
            Console.WriteLine();
            Console.WriteLine("| published | warm-up | start to first reply | first connection | slowest | first read | slowest | 100 reads | reads are steady after | second connection |");
            Console.WriteLine("|---|---|---|---|---|---|---|---|---|---|");
            (Publishing By, bool Warm, List<ColdStart> Starts)[] rows = [.. programs.SelectMany(program => (bool[])[false, true], (program, warm) => (program.By, warm, new List<ColdStart>()))];
            for (int i = 0; i < Processes; i++)
            {
                foreach ((Publishing by, bool warm, List<ColdStart> starts) in rows)
                    starts.Add(ColdStart.Measure(programs.First(program => program.By == by).Program, warm));
            }
            foreach ((Publishing by, bool warm, List<ColdStart> starts) in rows)
                Print(by, warm, starts);
            return 0;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static void Print(Publishing by, bool warm, List<ColdStart> starts)
    {
        string Of(Func<ColdStart, double> what) => Text(ColdStart.Median([.. starts.Select(what)]));
        string Slowest(Func<ColdStart, double> what) => Text(starts.Max(what));
        Console.WriteLine($"| {by.Name} | {(warm ? "yes" : "no")} | {Of(start => start.FirstReply)} | {Of(start => start.Connection)} | {Slowest(start => start.Connection)} " +
            $"| {Of(start => start.FirstRead)} | {Slowest(start => start.FirstRead)} | {Of(start => start.Reads)} | {Of(start => start.Steady)} | {Of(start => start.LaterConnection)} |");
    }

    private static string Text(double milliseconds) => string.Create(CultureInfo.InvariantCulture, $"{milliseconds:G3} ms");
}
