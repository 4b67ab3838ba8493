namespace VfioUser.Tool.Faults;

/// <summary>What goes wrong.</summary>
internal enum FaultKind
{
    /// <summary>A command is answered with an error, and never reaches the other side.</summary>
    Refuse,

    /// <summary>A command reaches the other side later, as all that follows it.</summary>
    Delay,

    /// <summary>The answer to a command never arrives.</summary>
    NoReply,

    /// <summary>The connection ends in place of a command.</summary>
    CloseOn,

    /// <summary>The connection ends after a number of messages, both ways together.</summary>
    CloseAfter,
}
