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
