using VfioUser.Tests.Serving;

namespace VfioUser.Tests.Polling;

// Whatever holds for a server with a thread of its own holds for a poller.

public sealed class PolledClientAfterClientTests : ClientAfterClientTests
{
    private protected override ServedBy By => ServedBy.Poller;
}

public sealed class PolledNegotiationTimeoutTests : NegotiationTimeoutTests
{
    private protected override ServedBy By => ServedBy.Poller;
}

public sealed class PolledPeerTests : PeerTests
{
    private protected override ServedBy By => ServedBy.Poller;
}

public sealed class PolledSecondClientTests : SecondClientTests
{
    private protected override ServedBy By => ServedBy.Poller;
}

[Collection(OpenFds.Name)]
public sealed class PolledHostileSecondClientTests : HostileSecondClientTests
{
    private protected override ServedBy By => ServedBy.Poller;
}

public sealed class PolledSessionLogTests : SessionLogTests
{
    private protected override ServedBy By => ServedBy.Poller;
}

public sealed class PolledStoppingTests : StoppingTests
{
    private protected override ServedBy By => ServedBy.Poller;
}

public sealed class PolledThrowingDeviceTests : ThrowingDeviceTests
{
    private protected override ServedBy By => ServedBy.Poller;
}

public sealed class PolledRustClientTests : RustClientTests
{
    private protected override ServedBy By => ServedBy.Poller;
}

public sealed class PolledFramingTests : FramingTests
{
    private protected override ServedBy By => ServedBy.Poller;
}

public sealed class PolledHeaderTests : HeaderTests
{
    private protected override ServedBy By => ServedBy.Poller;
}

public sealed class PolledQemuDialogueTests : QemuDialogueTests
{
    private protected override ServedBy By => ServedBy.Poller;
}

public sealed class PolledVersionTests : VersionTests
{
    private protected override ServedBy By => ServedBy.Poller;
}

public sealed class PolledNoReplyTests : NoReplyTests
{
    private protected override ServedBy By => ServedBy.Poller;
}

[Collection(OpenFds.Name)]
public sealed class PolledDescriptorTests : DescriptorTests
{
    private protected override ServedBy By => ServedBy.Poller;
}

public sealed class PolledBadDmaAnswerTests : BadDmaAnswerTests
{
    private protected override ServedBy By => ServedBy.Poller;
}

public sealed class PolledDmaInHandlerTests : DmaInHandlerTests
{
    private protected override ServedBy By => ServedBy.Poller;
}

public sealed class PolledDmaThreadsTests : DmaThreadsTests
{
    private protected override ServedBy By => ServedBy.Poller;
}

public sealed class PolledDmaPiecesTests : DmaPiecesTests
{
    private protected override ServedBy By => ServedBy.Poller;
}

public sealed class PolledDmaResultTests : DmaResultTests
{
    private protected override ServedBy By => ServedBy.Poller;
}

public sealed class PolledDmaTimeoutTests : DmaTimeoutTests
{
    private protected override ServedBy By => ServedBy.Poller;
}
