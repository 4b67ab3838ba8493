namespace VfioUser.Protocol;

/// <summary>What one side wants with the separate socket for server-to-client commands.</summary>
public enum TwinSocketPolicy
{
    /// <summary>The client does not offer it; the server does not take it up.</summary>
    Never = 0,

    /// <summary>The client offers it, the server takes it up, and either goes on without it.</summary>
    Prefer = 1,

    /// <summary>As <see cref="Prefer"/>, but without it there is no session.</summary>
    Require = 2,
}
