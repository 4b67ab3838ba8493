namespace VfioUser.Tool.Checking;

/// <summary>One requirement of the specification on a server. Immutable.</summary>
/// <param name="Name">For the command line. Frozen.</param>
/// <param name="Heading">Of the specification, or the name of another one and its section.</param>
/// <param name="Text">The rule, in one sentence.</param>
/// <param name="Check">Makes its own connections. Throws <see cref="BrokenRuleException"/> if the rule is broken.</param>
internal sealed record Rule(string Name, string Heading, string Text, Func<Subject, Finding> Check);

/// <summary>Rules about one topic. Immutable.</summary>
internal sealed record Topic(string Name, IReadOnlyList<Rule> Rules)
{
    /// <summary>Whether its rules use <see cref="Subject.Device"/>, which must be complete before they connect.</summary>
    public bool NeedsDevice { get; init; }
}
