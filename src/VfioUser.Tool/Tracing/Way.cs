namespace VfioUser.Tool.Tracing;

/// <summary>Direction and socket of a message. Recordings contain the numbers: they are frozen.</summary>
[Flags]
internal enum Way
{
    /// <summary>From the client to the server, on the main socket.</summary>
    ToServer = 0,

    /// <summary>From the server to the client.</summary>
    ToClient = 1,

    /// <summary>On the twin socket.</summary>
    Twin = 2,
}
