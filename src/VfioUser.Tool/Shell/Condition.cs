namespace VfioUser.Tool.Shell;

/// <summary>A comparison of a target with a value, as in <c>CTRL.EN == 1</c>.</summary>
internal sealed class Condition
{
    private static readonly Dictionary<string, Func<ulong, ulong, bool>> Operators = new(StringComparer.Ordinal)
    {
        ["=="] = static (left, right) => left == right,
        ["!="] = static (left, right) => left != right,
        ["<"] = static (left, right) => left < right,
        ["<="] = static (left, right) => left <= right,
        [">"] = static (left, right) => left > right,
        [">="] = static (left, right) => left >= right,
        ["has"] = static (left, right) => (left & right) == right,
        ["lacks"] = static (left, right) => (left & right) == 0,
    };

    private readonly Target _target;
    private readonly string _operator;
    private readonly string _text;
    private readonly ulong _value;

    private Condition(Target target, string @operator, string text)
    {
        (_target, _operator, _text) = (target, @operator, text);
        _value = target.Parse(text);
    }

    public static Condition Take(ShellSession session, Words words)
    {
        Target target = Target.Take(session, words);
        string name = words.Take("A comparison");
        if (!Operators.ContainsKey(name))
            throw new UsageException($"'{name}' is no comparison: {string.Join(' ', Operators.Keys)}.");
        return new Condition(target, name, words.Take("VALUE"));
    }

    /// <summary>Reads the target.</summary>
    /// <param name="problem">What was expected and what is, if it does not hold.</param>
    public bool Holds(out string problem)
    {
        ulong read = _target.Read();
        problem = $"expected {_target.Name} {_operator} {_text}, and it is {_target.Describe(read)}";
        return Operators[_operator](_target.Of(read), _value);
    }
}
