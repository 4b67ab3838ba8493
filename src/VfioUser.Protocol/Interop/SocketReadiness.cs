namespace VfioUser.Protocol.Interop;

/// <summary>What can be done after a wait for a socket.</summary>
[Flags]
internal enum SocketReadiness
{
    None = 0,

    /// <summary>Something has come, or its end, or an error.</summary>
    Receive = 1,

    /// <summary>There is room to send.</summary>
    Send = 2,

    /// <summary>The other descriptor has ended the wait.</summary>
    Wake = 4,
}
