namespace VfioUser.Tool.Checking;

/// <summary>What became of a rule. Frozen: its names stand in the JSON.</summary>
internal enum Verdict
{
    Passed,
    Failed,
    /// <summary>Where the specification is silent, or servers in use do otherwise and clients live with it.</summary>
    Warning,
    /// <summary>The server does not have what the rule is about.</summary>
    NotServed,
    /// <summary>The server had gone before.</summary>
    NotChecked,
}

/// <summary>A rule's verdict, and why, in one line; null for nothing to say. Immutable.</summary>
internal sealed record Finding(Verdict Verdict, string? Why)
{
    /// <summary>Where what was found is written, if not under the rule's own heading.</summary>
    public string? Heading { get; init; }

    public static Finding Passed { get; } = new(Verdict.Passed, null);

    public static Finding Warning(string why) => new(Verdict.Warning, why);

    public static Finding NotServed(string why) => new(Verdict.NotServed, why);

    /// <summary>Passed, or a warning.</summary>
    public static Finding WarnIf(bool odd, string why) => odd ? Warning(why) : Passed;
}
