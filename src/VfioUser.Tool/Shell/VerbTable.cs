using VfioUser.Tool.Registers;
using VfioUser.Tool.Shell.Verbs;

namespace VfioUser.Tool.Shell;

/// <summary>All commands of the shell, which are those of its scripts.</summary>
internal static class VerbTable
{
    public static IReadOnlyList<Verb> All { get; } =
        [.. RegisterVerbs.All, .. DmaVerbs.All, .. IrqVerbs.All, .. DeviceVerbs.All, .. LanguageVerbs.All];

    /// <summary>Takes the name of a command.</summary>
    /// <exception cref="UsageException">There is none of that name.</exception>
    public static Verb Take(Words words)
    {
        string first = words.Take("The command");
        if (Find(first) is { } verb)
            return verb;
        Verb[] family = [.. All.Where(other => other.Name.StartsWith(first + " ", StringComparison.OrdinalIgnoreCase))];
        if (family.Length == 0)
            throw new UsageException($"There is no command '{first}'{Suggest(first, All.Select(other => other.Name.Split(' ')[0]))}");
        string[] seconds = [.. family.Select(other => other.Name.Split(' ')[1])];
        if (words.Peek is not { } second)
            throw new UsageException($"{first} what? {string.Join(", ", seconds)}.");
        verb = Find($"{first} {second}") ?? throw new UsageException($"There is no command '{first} {second}': {string.Join(", ", seconds)}.");
        words.Take(verb.Name);
        return verb;
    }

    public static Verb? Find(string name) => All.FirstOrDefault(verb => verb.Name.Equals(name, StringComparison.OrdinalIgnoreCase));

    private static string Suggest(string name, IEnumerable<string> names) => Nearest.To(name, names) is { } near ? $"; did you mean {near}?" : ": help lists them.";
}
