namespace VfioUser.Tests.Metrics;

/// <summary>The tables of <c>docs/observability.md</c>.</summary>
internal static class ObservabilityDocument
{
    /// <summary>The rows under a head that begins with these cells, without quotes of code.</summary>
    public static IReadOnlyList<string[]> Table(params string[] head)
    {
        using Stream stream = typeof(ObservabilityDocument).Assembly.GetManifestResourceStream("observability.md")!;
        using StreamReader reader = new(stream);
        List<string[]> rows = [];
        bool found = false;
        while (reader.ReadLine() is { } line)
        {
            string[] cells = [.. line.Split('|')[1..].SkipLast(1).Select(cell => cell.Trim().Replace("`", "", StringComparison.Ordinal))];
            if (found && cells.Length == 0)
                break;
            if (found && !cells[0].StartsWith("---", StringComparison.Ordinal))
                rows.Add(cells);
            found |= cells.Take(head.Length).SequenceEqual(head, StringComparer.Ordinal);
        }
        return rows;
    }
}
