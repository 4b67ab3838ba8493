using System.Globalization;
using VfioUser.Client;
using VfioUser.Testing;
using VfioUser.Tool.CommandLine;
using VfioUser.Tool.Registers;

namespace VfioUser.Tool.Shell;

/// <summary>What the commands of a shell act on: a guest, the names of the device's registers, and variables. One thread.</summary>
internal sealed class ShellSession : IDisposable
{
    private readonly TimeSpan _timeout;
    private string _socket;
    private GuestMemoryKind _kind;
    private ulong _memorySize;
    private TestGuest _guest;
    private RegisterNames? _names;

    /// <exception cref="IOException">No server listens there.</exception>
    /// <exception cref="VfioUserException">The server refused.</exception>
    public ShellSession(string socket, ShellMemory memory, TimeSpan timeout, Terminal terminal)
    {
        (_socket, _kind, _memorySize, _timeout) = (socket, memory.Kind, memory.Size, timeout);
        Terminal = terminal;
        Stop = terminal.Stop;
        _guest = Connect();
    }

    public Terminal Terminal { get; }

    /// <summary>Ends the command that runs: at a prompt the command only, else the tool.</summary>
    public CancellationToken Stop { get; set; }

    public TestGuest Guest => _guest;

    public VfioUserClient Client => _guest.Client;

    /// <summary>Numbers that a script has named.</summary>
    public Dictionary<string, ulong> Variables { get; } = new(StringComparer.Ordinal);

    /// <summary>Whether writes are confirmed.</summary>
    public bool IsInteractive { get; init; }

    /// <summary>Set by the command that ends the shell.</summary>
    public bool IsOver { get; set; }

    public TimeSpan Timeout => _timeout;

    /// <exception cref="ToolException">The server has no names of registers.</exception>
    public RegisterNames Names => _names ??= MapReader.Read(Client);

    /// <summary>The names, or null if the server has none.</summary>
    public RegisterNames? NamesIfAny
    {
        get
        {
            try
            {
                return Names;
            }
            catch (ToolException)
            {
                return null;
            }
        }
    }

    /// <summary>Connects again, with new memory.</summary>
    public void Use(ShellMemory memory)
    {
        _guest.Dispose();
        (_kind, _memorySize) = (memory.Kind, memory.Size);
        _guest = Connect();
    }

    /// <summary>Moves the guest to another server of the device, which is the session's then.</summary>
    public void Migrate(string socket)
    {
        TestGuest target = _guest.MigrateTo(socket);
        _guest.Dispose();
        (_guest, _socket, _names) = (target, socket, null);
    }

    /// <summary>Takes a number: 4096, 0x1000, $name, or a sum as in $name+0x10.</summary>
    public ulong TakeNumber(Words words, string what) => NumberOf(words.Take(what));

    /// <exception cref="UsageException">It is no number, or a variable is not set.</exception>
    public ulong NumberOf(string text)
    {
        ulong sum = 0;
        int start = 0;
        bool minus = false;
        for (int at = 1; at <= text.Length; at++)
        {
            if (at < text.Length && text[at] is not ('+' or '-'))
                continue;
            ulong term = Term(text[start..at], text);
            sum = minus ? sum - term : sum + term;
            minus = at < text.Length && text[at] == '-';
            start = at + 1;
        }
        return text.Length == 0 ? throw new UsageException("A number is empty.") : sum;
    }

    /// <summary>Takes <c>within SECONDS</c>, if it is there.</summary>
    public static TimeSpan TakeLimit(Words words, string word, TimeSpan otherwise)
    {
        if (!words.TryTake(word))
            return otherwise;
        string text = words.Take("SECONDS");
        return double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double seconds) && seconds <= 86400
            ? TimeSpan.FromSeconds(seconds)
            : throw new UsageException($"'{text}' is no number of seconds, a day at most.");
    }

    /// <summary>Says what was done, in a terminal.</summary>
    public void Confirm(string text)
    {
        if (IsInteractive)
            Terminal.Out.WriteLine(text);
    }

    public void Dispose() => _guest.Dispose();

    private ulong Term(string term, string whole)
    {
        if (term is ['$', .. string name])
            return Variables.TryGetValue(name, out ulong known) ? known : throw new UsageException($"${name} is not set.");
        return Numbers.TryParse(term, out ulong value) ? value : throw new UsageException($"'{whole}' is no number; write 4096, 0x1000 or $name.");
    }

    private TestGuest Connect() => TestGuest.Connect(_socket, new TestGuestOptions
    {
        Memory = _kind,
        MemorySize = _memorySize,
        Timeout = _timeout,
        Cancellation = Terminal.Stop,
    });
}
