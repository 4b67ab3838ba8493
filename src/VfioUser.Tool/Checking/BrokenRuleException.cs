namespace VfioUser.Tool.Checking;

/// <summary>The server broke the rule that is being checked. The message is one line for people.</summary>
internal class BrokenRuleException(string why) : Exception(why)
{
    /// <summary>Where that is written, if not under the rule's own heading.</summary>
    public string? Heading { get; init; }
}

/// <summary>Nobody accepts connections any more.</summary>
internal sealed class ServerGoneException(string why) : BrokenRuleException(why);

/// <summary>Nothing came from the server for as long as it was waited for.</summary>
internal sealed class SilentServerException(string why) : BrokenRuleException(why);

/// <summary>Another client is there, as the server says.</summary>
internal sealed class BusyServerException(string why) : BrokenRuleException(why);

/// <summary>The rule cannot be checked, because the server does not say what is needed for it.</summary>
internal sealed class NotServedException(string why) : Exception(why);
