namespace VfioUser.Clients.Tests;

/// <summary>On whose thread a device's code runs.</summary>
public enum ServedBy
{
    /// <summary>The server's.</summary>
    OwnThread,

    /// <summary>The test's, which waits for a poller's descriptor.</summary>
    Poller,
}
