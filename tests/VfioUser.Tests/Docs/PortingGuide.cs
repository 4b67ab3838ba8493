using System.Text.RegularExpressions;

namespace VfioUser.Tests;

/// <summary>The tables of <c>docs/porting.md</c> that map names of libvfio-user to ours.</summary>
internal sealed partial class PortingGuide
{
    private PortingGuide(IReadOnlyList<Row> rows) => Rows = rows;

    public IReadOnlyList<Row> Rows { get; }

    public static PortingGuide Read() => Parse(File.ReadLines(Path.Combine(AppContext.BaseDirectory, "Docs", "porting.md")));

    /// <summary>The public names of libvfio-user's headers: functions, types, constants, members of structures of callbacks.</summary>
    public static IReadOnlyList<string> TheirNames() =>
        [.. File.ReadLines(Path.Combine(AppContext.BaseDirectory, "Docs", "libvfio-user-symbols.txt")).Where(line => !line.StartsWith('#'))];

    public static PortingGuide Parse(IEnumerable<string> lines)
    {
        List<Row> rows = [];
        bool mapping = false;
        foreach (string line in lines)
        {
            string[] cells = [.. line.Trim('|').Split('|', StringSplitOptions.TrimEntries)];
            if (!line.StartsWith('|'))
                mapping = false;
            else if (cells is ["libvfio-user", "here", ..])
                mapping = true;
            else if (mapping && !cells[0].StartsWith("---", StringComparison.Ordinal))
                rows.Add(new Row(Names(cells[0]), cells.Length > 1 ? cells[1] : "", Names(cells.Length > 1 ? cells[1] : "")));
        }
        return new PortingGuide(rows);
    }

    private static string[] Names(string cell) => [.. InBackticks().Matches(cell).Select(match => match.Groups["name"].Value)];

    [GeneratedRegex("`(?<name>[^`]+)`", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex InBackticks();

    /// <param name="Theirs">Names of libvfio-user.</param>
    /// <param name="Counterpart">The cell as it stands.</param>
    /// <param name="Ours">The names in it.</param>
    public sealed record Row(IReadOnlyList<string> Theirs, string Counterpart, IReadOnlyList<string> Ours);
}
