using System.Text;

namespace VfioUser.Tool.Shell;

/// <summary>Edits a line in a terminal, with history and completion. One thread.</summary>
/// <param name="keys">The terminal.</param>
/// <param name="history">Earlier lines.</param>
/// <param name="complete">The words that may end at the caret, for a line and a caret.</param>
internal sealed class LineEditor(IKeys keys, History history, Func<string, int, IReadOnlyList<string>> complete)
{
    private readonly StringBuilder _line = new();
    private string _prompt = "";
    private int _caret;
    private int _past; // how many lines back in the history
    private string _latest = "";

    /// <summary>Reads a line.</summary>
    /// <returns>Null at the end of the input.</returns>
    public string? ReadLine(string prompt)
    {
        (_prompt, _past, _caret) = (prompt, 0, 0);
        _line.Clear();
        Draw();
        while (keys.Read() is { } key)
        {
            bool control = (key.Modifiers & ConsoleModifiers.Control) != 0;
            if (key.Key == ConsoleKey.Enter)
            {
                keys.Write("\n");
                return _line.ToString();
            }
            if (control && key.Key == ConsoleKey.D && _line.Length == 0)
                break;
            if (control)
                Control(key.Key);
            else if (!Move(key.Key) && !char.IsControl(key.KeyChar))
                _line.Insert(_caret++, key.KeyChar);
            Draw();
        }
        keys.Write("\n");
        return null;
    }

    private bool Move(ConsoleKey key)
    {
        switch (key)
        {
            case ConsoleKey.LeftArrow:
                _caret = Math.Max(0, _caret - 1);
                return true;
            case ConsoleKey.RightArrow:
                _caret = Math.Min(_line.Length, _caret + 1);
                return true;
            case ConsoleKey.Home:
                _caret = 0;
                return true;
            case ConsoleKey.End:
                _caret = _line.Length;
                return true;
            case ConsoleKey.Backspace when _caret > 0:
                _line.Remove(--_caret, 1);
                return true;
            case ConsoleKey.Delete when _caret < _line.Length:
                _line.Remove(_caret, 1);
                return true;
            case ConsoleKey.UpArrow:
                Recall(_past + 1);
                return true;
            case ConsoleKey.DownArrow:
                Recall(_past - 1);
                return true;
            case ConsoleKey.Tab:
                Complete();
                return true;
            default:
                return false;
        }
    }

    // as in readline
    private void Control(ConsoleKey key)
    {
        switch (key)
        {
            case ConsoleKey.A:
                _caret = 0;
                break;
            case ConsoleKey.E:
                _caret = _line.Length;
                break;
            case ConsoleKey.C:
                keys.Write("^C\n");
                _line.Clear();
                _caret = 0;
                break;
            case ConsoleKey.D when _caret < _line.Length:
                _line.Remove(_caret, 1);
                break;
            case ConsoleKey.K:
                _line.Length = _caret;
                break;
            case ConsoleKey.U:
                _line.Remove(0, _caret);
                _caret = 0;
                break;
            case ConsoleKey.W:
                int start = WordStart(_line.ToString(0, _caret).TrimEnd());
                _line.Remove(start, _caret - start);
                _caret = start;
                break;
            case ConsoleKey.P:
                Recall(_past + 1);
                break;
            case ConsoleKey.N:
                Recall(_past - 1);
                break;
            case ConsoleKey.L:
                keys.Write("\e[H\e[2J");
                break;
        }
    }

    private void Recall(int past)
    {
        if (past < 0 || past > history.Lines.Count)
            return;
        if (_past == 0)
            _latest = _line.ToString();
        _past = past;
        _line.Clear().Append(past == 0 ? _latest : history.Lines[^past]);
        _caret = _line.Length;
    }

    private void Complete()
    {
        IReadOnlyList<string> words = complete(_line.ToString(), _caret);
        if (words.Count == 0)
            return;
        int start = WordStart(_line.ToString(0, _caret));
        string common = words.Count == 1 ? words[0] + " " : words.Aggregate(Common);
        if (common.Length > _caret - start)
        {
            _line.Remove(start, _caret - start).Insert(start, common);
            _caret = start + common.Length;
        }
        else if (words.Count > 1)
        {
            keys.Write("\n" + string.Join("  ", words) + "\n");
        }
    }

    private static string Common(string one, string other)
    {
        int length = 0;
        while (length < one.Length && length < other.Length && char.ToUpperInvariant(one[length]) == char.ToUpperInvariant(other[length]))
            length++;
        return one[..length];
    }

    private static int WordStart(string before) => before.LastIndexOf(' ') + 1;

    // a line that is wider than the terminal is scrolled
    private void Draw()
    {
        int room = Math.Max(1, keys.Width - _prompt.Length - 1);
        int first = Math.Max(0, _caret - room);
        string shown = _line.ToString(first, Math.Min(room, _line.Length - first));
        keys.Write($"\r{_prompt}{shown}\e[K\r\e[{_prompt.Length + _caret - first}C");
    }
}
