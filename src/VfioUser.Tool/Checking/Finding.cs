namespace VfioUser.Tool.Checking;

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
