namespace VfioUser.Protocol;

/// <summary>Whether one side uses a separate socket for server-to-client commands.</summary>
public enum TwinSocketPolicy
{
    /// <summary>The client does not offer it; the server does not accept it.</summary>
    Never = 0,

    /// <summary>The client offers it, the server accepts it, and either goes on without it.</summary>
    Prefer = 1,

    /// <summary>As <see cref="Prefer"/>, but without it there is no session.</summary>
    Require = 2,
}
