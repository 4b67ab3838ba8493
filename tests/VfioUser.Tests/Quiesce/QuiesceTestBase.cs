using VfioUser.Tests.Serving;

namespace VfioUser.Tests.Quiesce;

/// <summary>Tests that hold whoever's threads serve.</summary>
public abstract class QuiesceTestBase
{
    private protected virtual ServedBy By => ServedBy.OwnThread;

    private protected QuiesceRig Rig(RestingDevice? device = null) => new(device, By);
}

public sealed class PolledQuiesceTests : QuiesceTests
{
    private protected override ServedBy By => ServedBy.Poller;
}

public sealed class PolledQuiesceLeavingTests : QuiesceLeavingTests
{
    private protected override ServedBy By => ServedBy.Poller;
}

public sealed class PolledQuiesceDmaTests : QuiesceDmaTests
{
    private protected override ServedBy By => ServedBy.Poller;
}

public sealed class PolledQuiesceMigrationTests : QuiesceMigrationTests
{
    private protected override ServedBy By => ServedBy.Poller;
}
