using VfioUser.Testing;
using VfioUser.Tests.Serving;

namespace VfioUser.Tests;

/// <summary>What a guest has open when it has gone: nothing, whatever went wrong before.</summary>
[Collection(OpenFds.Name)]
public class GuestDescriptorTests
{
    [Theory]
    [ClassData(typeof(EachWay))]
    public void A_guest_leaves_nothing_open_after_faults_reconnections_and_migration(GuestMemoryKind memory)
    {
        Live(memory); // what is opened once for all
        OpenFds before = OpenFds.Now();

        for (int i = 0; i < 3; i++)
            Live(memory);

        before.More().Should().BeEmpty();
        OpenFds.Mappings("/memfd:test-guest").Should().Be(0);
    }

    private static void Live(GuestMemoryKind memory)
    {
        using var guest = TestGuest.Attach(new MovingDevice(), memory);
        guest.StartDriver();
        foreach (DisconnectPoint point in Enum.GetValues<DisconnectPoint>())
        {
            guest.Faults.Disconnect(point);
            guest.Reconnect();
        }
        guest.Memory.Unmap();
        guest.Memory.Map();
        using TestGuest target = guest.MigrateTo(new MovingDevice());
        guest.Invoking(it => it.MigrateTo(new MovingDevice(irqs: 1))).Should().Throw<TestGuestException>();
    }
}
