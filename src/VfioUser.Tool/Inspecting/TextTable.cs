using System.Text;

namespace VfioUser.Tool.Inspecting;

/// <summary>Rows of text with aligned columns. One thread.</summary>
/// <param name="head">The columns; one whose name begins with a blank is aligned to the right.</param>
internal sealed class TextTable(params string[] head)
{
    private readonly List<string[]> _rows = [];

    /// <summary>Adds a row; cells that are missing at its end are empty.</summary>
    public void Add(params string[] cells) => _rows.Add([.. cells.Select(PrintableText.Of)]);

    public void WriteTo(Terminal terminal)
    {
        int[] widths = [.. head.Select((name, column) => _rows.Select(row => column < row.Length ? row[column].Length : 0).Append(name.Trim().Length).Max())];
        terminal.Out.WriteLine(terminal.Bold(Line([.. head.Select(name => name.Trim())], widths)));
        foreach (string[] row in _rows)
            terminal.Out.WriteLine(Line(row, widths));
    }

    private string Line(string[] cells, int[] widths)
    {
        StringBuilder line = new();
        for (int column = 0; column < cells.Length; column++)
        {
            bool right = head[column].StartsWith(' ');
            line.Append(column == 0 ? "" : "  ").Append(right ? cells[column].PadLeft(widths[column]) : cells[column].PadRight(widths[column]));
        }
        return line.ToString().TrimEnd();
    }
}
