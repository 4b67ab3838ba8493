namespace VfioUser.Tool.Shell.Verbs;

/// <summary>What is not about the device.</summary>
internal static class LanguageVerbs
{
    public static IReadOnlyList<Verb> All { get; } =
    [
        new("set", "NAME VALUE | NAME read ...", "Names a number, or what is read; $NAME stands for it, also in $NAME+0x10", Set),
        new("echo", "TEXT...", "Prints words", Echo),
        new("sleep", "SECONDS", "Lets time pass", Sleep),
        new("help", "[COMMAND]", "Lists the commands, or explains one", Help),
        Verb.Alone("quit", "Ends the shell", session => session.IsOver = true),
    ];

    /// <summary>Takes the name of a variable.</summary>
    /// <exception cref="UsageException">It has other characters than letters, digits and _.</exception>
    public static string TakeName(Words words)
    {
        string name = words.Take("NAME").TrimStart('$');
        return name.Length > 0 && name.All(character => char.IsAsciiLetterOrDigit(character) || character == '_') ? name
            : throw new UsageException($"'{name}' is no name: letters, digits and _ are.");
    }

    private static void Set(ShellSession session, Words words)
    {
        string name = TakeName(words);
        ulong value;
        if (words.TryTake("read"))
        {
            Target target = Target.Take(session, words);
            value = target.Of(target.Read());
        }
        else
        {
            value = session.TakeNumber(words, "VALUE");
        }
        words.End();
        session.Variables[name] = value;
        session.Confirm($"${name} = 0x{value:x}");
    }

    private static void Echo(ShellSession session, Words words)
    {
        List<string> said = [];
        while (!words.IsAtEnd)
        {
            string word = words.Take("TEXT");
            said.Add(word is ['$', ..] ? $"0x{session.NumberOf(word):x}" : word);
        }
        session.Terminal.Out.WriteLine(string.Join(' ', said));
    }

    private static void Sleep(ShellSession session, Words words)
    {
        string text = words.Take("SECONDS");
        words.End();
        TimeSpan time = ShellSession.TakeLimit(Words.Of($"for {text}"), "for", TimeSpan.Zero);
        if (session.Stop.WaitHandle.WaitOne(time))
            throw new OperationCanceledException(session.Stop);
    }

    private static void Help(ShellSession session, Words words)
    {
        string name = words.IsAtEnd ? "" : words.Take("COMMAND");
        if (!words.IsAtEnd)
            name += " " + words.Take("COMMAND");
        words.End();
        Verb[] shown = [.. VerbTable.All.Where(verb => name.Length == 0 || verb.Name.Equals(name, StringComparison.OrdinalIgnoreCase)
            || verb.Name.StartsWith(name + " ", StringComparison.OrdinalIgnoreCase))];
        if (shown.Length == 0)
            throw new UsageException($"There is no command '{name}': help lists them.");
        foreach (Verb verb in shown)
            session.Terminal.Out.WriteLine(name.Length == 0 ? $"  {verb.Name,-12} {verb.Summary}" : $"{session.Terminal.Bold(verb.Usage)}\n  {verb.Summary}.");
    }
}
