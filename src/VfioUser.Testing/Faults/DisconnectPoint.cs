namespace VfioUser.Testing;

/// <summary>Where in the stream of messages a client disconnects.</summary>
public enum DisconnectPoint
{
    /// <summary>Between two messages.</summary>
    BetweenMessages,

    /// <summary>After half of a header.</summary>
    InHeader,

    /// <summary>After a header and part of its payload.</summary>
    InBody,
}
