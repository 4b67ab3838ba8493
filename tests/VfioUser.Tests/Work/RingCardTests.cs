using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests.Work;

/// <summary>The worker of the documents, with a driver that writes the doorbell only when it must.</summary>
public sealed class RingCardTests
{
    [Fact]
    public void A_driver_that_writes_the_doorbell_only_when_requested_is_served_each_time()
    {
        RingCard card = new();
        using TestGuest guest = TestGuest.Attach(card);
        Iova ring = guest.Memory.Allocate(8);
        guest.Bar0.Write(0x00, ring.Value);

        for (uint written = 1; written <= 200; written++)
        {
            guest.Memory.Write(ring, written);
            Interlocked.MemoryBarrier();
            if (guest.Memory.Read<uint>(ring + 4) == written - 1)
                guest.Bar0.Write(0x08, 1u);
            guest.MsiX[0].WaitForNext();
        }
    }
}
