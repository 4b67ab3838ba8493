namespace VfioUser.Benchmarks;

/// <summary>What to compare, and with whom.</summary>
/// <param name="IsQuick">Fewer alternations, and failure only where a target is missed by a wide margin: for CI.</param>
/// <param name="Others">Names of other servers, and the commands that start them.</param>
/// <param name="Filters">Words of the rows to measure; empty for all.</param>
internal sealed record ComparisonOptions(bool IsQuick, IReadOnlyList<(string Name, string Command)> Others, IReadOnlyList<string> Filters)
{
    public static ComparisonOptions Parse(IReadOnlyList<string> words)
    {
        bool isQuick = false;
        List<(string, string)> others = [];
        List<string> filters = [];
        for (int i = 0; i < words.Count; i++)
        {
            if (words[i] is "--quick")
                isQuick = true;
            else if (words[i] is "--peer" && i + 1 < words.Count && words[i + 1].Split('=', 2) is [string name, string command])
                (_, others) = (i++, [.. others, (name, command)]);
            else if (words[i].StartsWith("--", StringComparison.Ordinal))
                throw new ArgumentException($"{words[i]} is not understood: there are --quick and --peer NAME=COMMAND.");
            else
                filters.Add(words[i]);
        }
        return new ComparisonOptions(isQuick, others, filters);
    }
}
