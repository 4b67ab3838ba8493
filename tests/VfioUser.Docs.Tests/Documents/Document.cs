using System.Text;
using System.Text.RegularExpressions;

namespace VfioUser.Docs.Tests.Documents;

/// <summary>A Markdown file, taken apart.</summary>
/// <remarks>What is looked for is what these documents use: fenced blocks, inline links, headings with a leading <c>#</c>.</remarks>
internal sealed partial class Document
{
    private readonly List<CodeBlock> _blocks = [];
    private readonly List<Prose> _prose = [];

    /// <param name="path">Relative to the repository.</param>
    public Document(string path)
        : this(path, File.ReadAllLines(Repository.PathOf(path)))
    {
    }

    public Document(string path, IReadOnlyList<string> lines)
    {
        Path = path;
        Text = string.Join('\n', lines);
        CodeBlock? open = null;
        for (int i = 0; i < lines.Count; i++)
        {
            if (lines[i].TrimStart().StartsWith("```", StringComparison.Ordinal))
            {
                open = open is null ? new CodeBlock(path, i + 1, lines[i].Trim()[3..], []) : null;
                if (open is not null)
                    _blocks.Add(open);
            }
            else if (open is not null)
            {
                open.Lines.Add(lines[i]);
            }
            else
            {
                _prose.Add(new Prose(i + 1, lines[i]));
            }
        }
    }

    public string Path { get; }

    public string Text { get; }

    public IReadOnlyList<CodeBlock> Blocks => _blocks;

    /// <summary>Where links and pictures lead, each with its line.</summary>
    public IEnumerable<(int Line, string Target)> Links =>
        from prose in _prose
        from Match match in Link().Matches(InlineCode().Replace(prose.Text, "``"))
        select (prose.Line, match.Groups["target"].Value);

    /// <summary>What stands in backticks, each with its line.</summary>
    public IEnumerable<(int Line, string Text)> Names =>
        from prose in _prose
        from Match match in InlineCode().Matches(prose.Text)
        select (prose.Line, match.Groups["code"].Value);

    /// <summary>The names by which headings are linked to, as GitHub makes them.</summary>
    public IEnumerable<string> Anchors => _prose.Where(prose => prose.Text.StartsWith('#')).Select(prose => Anchor(prose.Text));

    private static string Anchor(string heading)
    {
        StringBuilder anchor = new();
        foreach (char c in heading.TrimStart('#').Trim().ToLowerInvariant())
        {
            if (c == ' ')
                anchor.Append('-');
            else if (char.IsLetterOrDigit(c) || c is '-' or '_')
                anchor.Append(c);
        }
        return anchor.ToString();
    }

    [GeneratedRegex(@"\]\((?<target>[^)\s]+)\)|\bsrc=""(?<target>[^""]+)""", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Link();

    [GeneratedRegex("`(?<code>[^`]+)`", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex InlineCode();

    private sealed record Prose(int Line, string Text);
}

/// <summary>What stands between two fences.</summary>
/// <param name="Path">Of the document.</param>
/// <param name="Line">Of the fence that opens it, from 1.</param>
/// <param name="Language">What the fence says.</param>
/// <param name="Lines">Without the fences.</param>
internal sealed record CodeBlock(string Path, int Line, string Language, List<string> Lines);
