namespace VfioUser.Tool.Checking;

/// <summary>The result of one rule. Frozen: its names are in the JSON.</summary>
internal enum Verdict
{
    Passed,
    Failed,
    /// <summary>The specification does not cover it, or servers in use differ and clients tolerate that.</summary>
    Warning,
    /// <summary>The server does not have what the rule is about.</summary>
    NotServed,
    /// <summary>The server stopped to answer at an earlier rule.</summary>
    NotChecked,
}
