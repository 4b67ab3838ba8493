namespace VfioUser.Tool.Checking;

/// <summary>A rule's verdict, and the reason in one line, or null if there is nothing to add. Immutable.</summary>
internal sealed record Finding(Verdict Verdict, string? Why)
{
    /// <summary>The specification's heading, if it is not the rule's own.</summary>
    public string? Heading { get; init; }

    public static Finding Passed { get; } = new(Verdict.Passed, null);

    public static Finding Warning(string why) => new(Verdict.Warning, why);

    public static Finding NotServed(string why) => new(Verdict.NotServed, why);

    /// <summary>Passed, or a warning.</summary>
    public static Finding WarnIf(bool odd, string why) => odd ? Warning(why) : Passed;
}
