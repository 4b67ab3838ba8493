using VfioUser.Tool.Registers;

namespace VfioUser.Tool.Shell;

/// <summary>What may follow in a line.</summary>
internal static class Completion
{
    private static readonly string[] Regions = ["bar0", "bar1", "bar2", "bar3", "bar4", "bar5", "rom", "config", "vga"];
    private static readonly string[] Irqs = ["intx", "msi", "msix", "err", "req"];
    private static readonly string[] Comparisons = ["==", "!=", "<", "<=", ">", ">=", "has", "lacks"];

    /// <summary>The words that begin as the last one of the line does, in order.</summary>
    public static IReadOnlyList<string> Of(ShellSession session, string line)
    {
        string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        bool isNew = words.Length == 0 || line[^1] == ' ';
        string last = isNew ? "" : words[^1];
        string[] before = isNew ? words : words[..^1];
        return [.. Offered(session, before, last).Where(word => word.StartsWith(last, StringComparison.OrdinalIgnoreCase)).Distinct(StringComparer.Ordinal)];
    }

    private static IEnumerable<string> Offered(ShellSession session, string[] before, string last)
    {
        if (last is ['$', ..])
            return session.Variables.Keys.Order(StringComparer.Ordinal).Select(name => "$" + name);
        return before switch
        {
            [] or ["help"] => VerbTable.All.Select(verb => verb.Name.Split(' ')[0]),
            ["memory"] => ShellMemory.Names,
            ["dma" or "irq"] or ["help", "dma" or "irq"] => VerbTable.All.Where(verb => verb.Name.StartsWith(before[^1] + " ", StringComparison.Ordinal)).Select(verb => verb.Name.Split(' ')[1]),
            ["irq", _] or [_, "irq"] => Irqs,
            ["dump"] => Regions,
            ["registers"] => Names(session, last),
            ["read" or "write" or "post" or "watch" or "set", ..] when IsTarget(before) => [.. Names(session, last), .. Regions, .. Irq(before[0])],
            ["expect" or "wait"] => [.. Names(session, last), .. Regions, "irq", .. before[0] is "expect" ? ["dma"] : Array.Empty<string>()],
            ["expect" or "wait", _] => Comparisons,
            _ => [],
        };
    }

    private static bool IsTarget(string[] before) => before[0] is "set" ? before is [_, _, "read"] : before.Length == 1;

    private static IEnumerable<string> Irq(string verb) => verb is "read" ? ["irq"] : [];

    // fields only once the name of their register is there
    private static IEnumerable<string> Names(ShellSession session, string last)
    {
        IReadOnlyList<MappedRegister> registers = session.NamesIfAny?.Map.Registers ?? [];
        return registers.Select(register => register.Name).Concat(registers
            .Where(register => last.StartsWith(register.Name + ".", StringComparison.OrdinalIgnoreCase))
            .SelectMany(register => (register.Fields ?? []).Select(field => $"{register.Name}.{field.Name}")));
    }
}
