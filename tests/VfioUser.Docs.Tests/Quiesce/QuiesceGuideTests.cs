using VfioUser.Testing;

namespace VfioUser.Docs.Tests.Quiesce;

public sealed class QuiesceGuideTests
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(30);

    [Fact]
    public void Modem_that_fails_is_reset_and_so_is_one_whose_client_leaves()
    {
        using SemaphoreSlim failure = new(0);
        using Modem modem = new(failure.WaitAsync);
        using (TestGuest guest = TestGuest.Attach(modem))
        {
            guest.Bar0.Write(0, 7u);
            failure.Release();
            SpinWait.SpinUntil(() => modem.Status.Value == 0, Bound).Should().BeTrue();
            guest.Bar0.Write(0, 8u);
        }

        using TestGuest next = TestGuest.Attach(modem);

        next.Bar0.Read<uint>(0).Should().Be(0u);
    }
}
