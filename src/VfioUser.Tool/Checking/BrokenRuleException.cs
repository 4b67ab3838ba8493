namespace VfioUser.Tool.Checking;

/// <summary>The server broke the rule that is being checked. The message is one line.</summary>
internal class BrokenRuleException(string why) : Exception(why)
{
    /// <summary>The specification's heading for it, if not the rule's own.</summary>
    public string? Heading { get; init; }
}

/// <summary>The server does not accept connections any more.</summary>
internal sealed class ServerGoneException(string why) : BrokenRuleException(why);

/// <summary>The server did not answer in time.</summary>
internal sealed class SilentServerException(string why) : BrokenRuleException(why);

/// <summary>The server refused because another client is attached.</summary>
internal sealed class BusyServerException(string why) : BrokenRuleException(why);

/// <summary>The rule cannot be checked, because the server does not answer a question that it needs.</summary>
internal sealed class NotServedException(string why) : Exception(why);
