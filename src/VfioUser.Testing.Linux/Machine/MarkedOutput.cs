using System.Text;

namespace VfioUser.Testing.Linux;

/// <summary>Takes from a console what one command prints: what stands between the command's two marks, as it comes.</summary>
/// <param name="id">The command's.</param>
/// <param name="output">Gets the pieces; the last has no line break at its end.</param>
/// <remarks>One thread. The console cuts its text anywhere; what could be the beginning of the end mark is held back.</remarks>
internal sealed class MarkedOutput(int id, Action<string> output)
{
    private readonly string _begin = $"vm: begin {id}\n";
    private readonly string _end = $"vm: end {id} ";
    private readonly StringBuilder _text = new();
    private State _state;

    private enum State
    {
        Before,
        Within,
        After,
    }

    public void Append(string text)
    {
        if (_state == State.After)
            return;
        _text.Append(text.Replace("\r", "", StringComparison.Ordinal));
        string all = _text.ToString();
        if (_state == State.Before)
        {
            int begin = all.IndexOf(_begin, StringComparison.Ordinal);
            if (begin < 0)
                return;
            all = all[(begin + _begin.Length)..];
            _state = State.Within;
        }
        int end = all.IndexOf(_end, StringComparison.Ordinal);
        int length = end < 0 ? all.Length - Held(all) : end > 0 && all[end - 1] == '\n' ? end - 1 : end;
        if (end >= 0)
            _state = State.After;
        if (length > 0)
            output(all[..length]);
        _text.Clear().Append(all, length, all.Length - length);
    }

    // the longest end of the text with which the mark may begin, with the line break before it, which is the mark's
    private int Held(string text)
    {
        string mark = "\n" + _end;
        for (int length = Math.Min(text.Length, mark.Length - 1); length > 0; length--)
        {
            ReadOnlySpan<char> tail = text.AsSpan(text.Length - length);
            if (mark.AsSpan().StartsWith(tail, StringComparison.Ordinal) || _end.AsSpan().StartsWith(tail, StringComparison.Ordinal))
                return length;
        }
        return 0;
    }
}
