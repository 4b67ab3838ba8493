namespace VfioUser.Tests.Serving;

/// <summary>On whose thread a device's code runs: for tests of what these do in different ways. All else is the engine's.</summary>
public enum ServedBy
{
    /// <summary>The server's.</summary>
    OwnThread,

    /// <summary>The test's, which waits for the poller's descriptor.</summary>
    Poller,

    /// <summary>A host's, which other devices share. Only <see cref="Work.WorkRig"/> knows it.</summary>
    Host,
}
