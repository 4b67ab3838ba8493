namespace VfioUser.Tool.Faults;

/// <summary>Kinds of faults.</summary>
internal enum FaultKind
{
    /// <summary>A command is answered with an error, and never reaches the other side.</summary>
    Refuse,

    /// <summary>A command reaches the other side later, and so do the messages after it.</summary>
    Delay,

    /// <summary>The reply to a command never arrives.</summary>
    NoReply,

    /// <summary>The connection ends in place of a command.</summary>
    CloseOn,

    /// <summary>The connection ends after a number of messages, counted in both directions.</summary>
    CloseAfter,
}
