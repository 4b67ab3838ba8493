using VfioUser.Testing;
using VfioUser.Tool.Shell;

namespace VfioUser.Tool.Tests.Shell;

public sealed class LineEditorTests
{
    private static readonly Dictionary<char, ConsoleKeyInfo> Special = new()
    {
        ['←'] = Key(ConsoleKey.LeftArrow),
        ['→'] = Key(ConsoleKey.RightArrow),
        ['↑'] = Key(ConsoleKey.UpArrow),
        ['↓'] = Key(ConsoleKey.DownArrow),
        ['⌫'] = Key(ConsoleKey.Backspace),
        ['⌦'] = Key(ConsoleKey.Delete),
        ['⇤'] = Key(ConsoleKey.Home),
        ['⇥'] = Key(ConsoleKey.End),
        ['\t'] = Key(ConsoleKey.Tab),
        ['\n'] = Key(ConsoleKey.Enter),
        ['ⓤ'] = Key(ConsoleKey.U, control: true),
        ['ⓚ'] = Key(ConsoleKey.K, control: true),
        ['ⓦ'] = Key(ConsoleKey.W, control: true),
        ['ⓒ'] = Key(ConsoleKey.C, control: true),
        ['ⓓ'] = Key(ConsoleKey.D, control: true),
    };

    [Theory]
    [InlineData("read CTRL\n", "read CTRL")]
    [InlineData("rad←←e\n", "read")]
    [InlineData("xread⇤⌦⇥!⌫\n", "read")]
    [InlineData("read CTRLⓤwrite\n", "write")]
    [InlineData("read CTRL←←←←ⓚX\n", "read X")]
    [InlineData("read CTRL ⓦX\n", "read X")]
    [InlineData("nothingⓒread\n", "read")]
    [InlineData("↑\n", "newer")]
    [InlineData("mine↑↑\n", "older")]
    [InlineData("mine↑↑↑↓↓\n", "mine")]
    [InlineData("re\t\n", "read ")]
    [InlineData("wr\t CT\t\n", "wr CTRL")]
    [InlineData("ⓓ", null)]
    [InlineData("", null)]
    public void Keys_edit_a_line(string keys, string? line)
    {
        History history = new(null);
        history.Add("older");
        history.Add("newer");
        LineEditor editor = new(new Typed(keys, columns: 20), history, (text, caret) => text[..caret].Split(' ')[^1] switch
        {
            "re" => ["read"],
            "CT" => ["CTRL", "CTRL.GO"],
            _ => [],
        });

        editor.ReadLine("> ").Should().Be(line);
    }

    [Fact]
    public void A_line_wider_than_the_terminal_is_scrolled_to_the_caret()
    {
        Typed terminal = new("0123456789abcdef\n", columns: 10);

        new LineEditor(terminal, new History(null), (_, _) => []).ReadLine("> ").Should().Be("0123456789abcdef");

        terminal.Written.Should().Contain("\r> 9abcdef\e[K\r\e[9C");
    }

    [Fact]
    public void Words_that_may_follow_are_listed_if_they_have_no_more_in_common()
    {
        Typed terminal = new("dma \t\n", columns: 80);

        new LineEditor(terminal, new History(null), (_, _) => ["fill", "dump"]).ReadLine("> ");

        terminal.Written.Should().Contain("\nfill  dump\n");
    }

    [Fact]
    public void History_is_kept_in_a_file()
    {
        string file = Path.Combine(Directory.CreateTempSubdirectory("vfio-user-history-").FullName, "state", "history");
        History first = new(file);
        first.Add("read CTRL");
        first.Add("read CTRL");
        first.Add(" ");

        new History(file).Lines.Should().Equal("read CTRL");
        Directory.Delete(Path.GetDirectoryName(Path.GetDirectoryName(file))!, recursive: true);
    }

    [Theory]
    [InlineData("wri", "write")]
    [InlineData("dma pl", "place")]
    [InlineData("write CT", "CTRL")]
    [InlineData("read ctrl.s", "CTRL.SPEED")]
    [InlineData("irq wait msi", "msi", "msix")]
    [InlineData("expect irq er", "err")]
    [InlineData("expect CTRL h", "has")]
    [InlineData("memory m", "mapped", "message")]
    [InlineData("write IOVA $", "$buffer", "$ring")]
    [InlineData("set x read SU", "SUM")]
    [InlineData("help dma fi", "fill")]
    [InlineData("reset ")]
    public void Commands_registers_fields_and_variables_are_completed(string line, params string[] words)
    {
        using Served served = new(new DmaCard(), new() { RegisterMap = true });
        using ShellSession session = new(served.Socket, new ShellMemory(GuestMemoryKind.Mapped, 1 << 20), TimeSpan.FromSeconds(30),
            new Terminal(TextWriter.Null, TextWriter.Null, Colors: false, CancellationToken.None));
        session.Variables["ring"] = 1;
        session.Variables["buffer"] = 2;

        Completion.Of(session, line).Should().Equal(words);
    }

    private static ConsoleKeyInfo Key(ConsoleKey key, bool control = false) => new('\0', key, shift: false, alt: false, control);

    /// <summary>A terminal at which all is typed already.</summary>
    private sealed class Typed(string keys, int columns) : IKeys
    {
        private int _next;

        public int Width => columns;

        public string Written { get; private set; } = "";

        public ConsoleKeyInfo? Read()
        {
            if (_next == keys.Length)
                return null;
            char key = keys[_next++];
            return Special.TryGetValue(key, out ConsoleKeyInfo special) ? special : new ConsoleKeyInfo(key, ConsoleKey.None, shift: false, alt: false, control: false);
        }

        public void Write(string text) => Written += text;
    }
}
