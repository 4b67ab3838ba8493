using Microsoft.Extensions.Time.Testing;
using VfioUser.Testing;

namespace VfioUser.Docs.Tests.Workers;

/// <summary>The devices of <c>docs/workers.md</c> do what it says.</summary>
public class WorkersGuideTests
{
    [Fact]
    public void Moderated_interrupt_is_delivered_after_its_interval()
    {
        using var guest = TestGuest.Attach(new LinkCard(), new TestGuestOptions { TimeProvider = new FakeTimeProvider() });

        guest.Bar0.Write(0x04, 250u);
        guest.Advance(TimeSpan.FromMicroseconds(249));
        guest.MsiX.ExpectNone();
        guest.Advance(TimeSpan.FromMicroseconds(1));

        guest.MsiX[0].Take().Should().Be(1);
    }

    [Fact]
    public void Link_that_a_host_changes_is_seen_by_the_guest()
    {
        LinkCard device = new();
        using var guest = TestGuest.Attach(device);

        device.SetLink(isUp: true);
        guest.MsiX[0].WaitFor(1);

        guest.Bar0.Read<uint>(0x00).Should().Be(1);
    }

    [Fact]
    public void Thread_that_polls_finds_what_the_guest_writes()
    {
        using var guest = TestGuest.Attach(new Scrubber());
        Iova ring = guest.Place(new byte[sizeof(uint)]);

        guest.Bar0.Write(0x00, ring.Value);
        guest.Memory.Write(ring, 5u);

        guest.MsiX[0].WaitFor(1);
    }
}
