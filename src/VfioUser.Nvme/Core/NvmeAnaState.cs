namespace VfioUser.Nvme;

/// <summary>How well a controller gets at a group of namespaces: Asymmetric Namespace Access. NVMe 2.0 8.1.</summary>
public enum NvmeAnaState
{
    /// <summary>As well as any other controller.</summary>
    Optimized = 1,

    /// <summary>Commands work; a host prefers a controller whose state is <see cref="Optimized"/>.</summary>
    NonOptimized = 2,

    /// <summary>Commands fail, and a host sends them to another controller.</summary>
    Inaccessible = 3,

    /// <summary>The same for good.</summary>
    PersistentLoss = 4,

    /// <summary>Between two states: commands fail, and a host waits for the next one, for ten seconds or so.</summary>
    Change = 15,
}
