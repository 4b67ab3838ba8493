namespace VfioUser.Tests.Serving;

/// <summary>Tests that hold whoever's threads serve: a derived class repeats them with another's.</summary>
public abstract class ServedTests
{
    private protected virtual ServedBy By => ServedBy.OwnThread;

    private protected Served Start(VfioUserServerOptions? options = null) => Served.Start(By, new ProbeDevice(), options);

    private protected Served Start(ProbeDevice device, VfioUserServerOptions? options = null) => Served.Start(By, device, options);
}

/// <summary>On whose thread a device's code runs.</summary>
public enum ServedBy
{
    /// <summary>The server's.</summary>
    OwnThread,

    /// <summary>The test's, which waits for the poller's descriptor.</summary>
    Poller,
}
