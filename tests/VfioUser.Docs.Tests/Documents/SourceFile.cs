namespace VfioUser.Docs.Tests.Documents;

/// <summary>A C# file, in which snippets are looked for.</summary>
internal sealed record SourceFile(string Path, IReadOnlyList<string> Lines)
{
    /// <summary>Whether the snippet's lines stand here one after the other, all of them indented by as much more or less.</summary>
    public bool Contains(IReadOnlyList<string> snippet)
    {
        string[] wanted = Dedented(snippet);
        for (int start = 0; start + wanted.Length <= Lines.Count; start++)
        {
            if (string.Equals(Lines[start].Trim(), wanted[0].Trim(), StringComparison.Ordinal)
                && Dedented([.. Lines.Skip(start).Take(wanted.Length)]).SequenceEqual(wanted))
            {
                return true;
            }
        }
        return false;
    }

    private static string[] Dedented(IReadOnlyList<string> lines)
    {
        int indentation = lines.Where(line => line.Trim().Length > 0).Select(line => line.Length - line.TrimStart().Length).DefaultIfEmpty().Min();
        return [.. lines.Select(line => line.Length < indentation ? "" : line[indentation..].TrimEnd())];
    }
}
