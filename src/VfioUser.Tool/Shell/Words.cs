using System.Globalization;
using System.Text;

namespace VfioUser.Tool.Shell;

/// <summary>The words of a line, taken one after the other. A word in quotes is text, with the escapes \n, \t, \0, \\, \" and \xNN; what follows
/// a # is a comment.</summary>
internal sealed class Words
{
    private readonly List<Word> _words;
    private int _next;

    private Words(List<Word> words) => _words = words;

    public bool IsAtEnd => _next == _words.Count;

    /// <summary>How many were not taken.</summary>
    public int Left => _words.Count - _next;

    /// <exception cref="UsageException">A quote is not closed, or an escape unknown.</exception>
    public static Words Of(string line)
    {
        List<Word> words = [];
        int at = 0;
        while (true)
        {
            while (at < line.Length && char.IsWhiteSpace(line[at]))
                at++;
            if (at == line.Length || line[at] == '#')
                return new Words(words);
            words.Add(line[at] == '"' ? Quoted(line, ref at) : Plain(line, ref at));
        }
    }

    /// <summary>The next word; null at the end.</summary>
    public string? Peek => IsAtEnd ? null : _words[_next].Text;

    /// <summary>Takes the next word.</summary>
    /// <param name="what">It is, for the message if there is none.</param>
    public string Take(string what) => IsAtEnd ? throw new UsageException($"{what} is missing.") : _words[_next++].Text;

    /// <summary>Takes the next word if it is this one.</summary>
    public bool TryTake(string word)
    {
        if (IsAtEnd || _words[_next].Quoted is not null || !_words[_next].Text.Equals(word, StringComparison.OrdinalIgnoreCase))
            return false;
        _next++;
        return true;
    }

    /// <summary>Takes the next word if it is text in quotes.</summary>
    public bool TryTakeQuoted(out byte[] bytes)
    {
        bytes = IsAtEnd ? [] : _words[_next].Quoted ?? [];
        if (IsAtEnd || _words[_next].Quoted is null)
            return false;
        _next++;
        return true;
    }

    /// <exception cref="UsageException">There are more words.</exception>
    public void End()
    {
        if (!IsAtEnd)
            throw new UsageException($"'{_words[_next].Text}' is one word too many.");
    }

    private static Word Plain(string line, ref int at)
    {
        int start = at;
        while (at < line.Length && !char.IsWhiteSpace(line[at]) && line[at] != '#')
            at++;
        return new Word(line[start..at], null);
    }

    private static Word Quoted(string line, ref int at)
    {
        List<byte> bytes = [];
        int start = ++at;
        for (; at < line.Length; at++)
        {
            if (line[at] == '"')
                return new Word(line[start..at++], [.. bytes]);
            if (line[at] == '\\')
                bytes.Add(Escaped(line, ref at));
            else
                at += Encode(line, at, bytes) - 1;
        }
        throw new UsageException("A quote is not closed.");
    }

    // a character beyond the first 65536 has two chars
    private static int Encode(string line, int at, List<byte> bytes)
    {
        int length = char.IsSurrogatePair(line, at) ? 2 : 1;
        bytes.AddRange(Encoding.UTF8.GetBytes(line.Substring(at, length)));
        return length;
    }

    private static byte Escaped(string line, ref int at)
    {
        char escape = ++at < line.Length ? line[at] : ' ';
        switch (escape)
        {
            case 'n':
                return (byte)'\n';
            case 't':
                return (byte)'\t';
            case '0':
                return 0;
            case '\\' or '"':
                return (byte)escape;
            case 'x' when at + 2 < line.Length && byte.TryParse(line.AsSpan(at + 1, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte value):
                at += 2;
                return value;
            default:
                throw new UsageException("An escape in a text is one of \\n, \\t, \\0, \\\\, \\\" and \\xNN.");
        }
    }

    private readonly record struct Word(string Text, byte[]? Quoted);
}
