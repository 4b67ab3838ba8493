namespace VfioUser.Tool.Checking;

/// <summary>One thing that the specification asks of a server. Immutable.</summary>
/// <param name="Name">For the command line. Frozen.</param>
/// <param name="Heading">Of the specification, or the name of another one and its section.</param>
/// <param name="Text">The rule, in one sentence.</param>
/// <param name="Check">Makes its own connections. Throws <see cref="BrokenRuleException"/> where the rule is broken.</param>
internal sealed record Rule(string Name, string Heading, string Text, Func<Subject, Finding> Check);

/// <summary>Rules about one thing. Immutable.</summary>
internal sealed record Topic(string Name, IReadOnlyList<Rule> Rules)
{
    /// <summary>Whether its rules ask <see cref="Subject.Device"/>, which must have been asked before they connect.</summary>
    public bool NeedsDevice { get; init; }
}
