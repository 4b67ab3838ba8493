using VfioUser.Testing;

namespace VfioUser.Tests;

public class ResetDuringDmaTests
{
    [Theory]
    [InlineData(GuestMemoryKind.TwinSocket)]
    [InlineData(GuestMemoryKind.SingleSocket)]
    public async Task Reset_does_not_wait_for_a_client_that_waits_for_the_reset(GuestMemoryKind memory)
    {
        Task<DmaResult>? access = null;
        BlankDevice device = new() { WhenReset = _ => access!.Wait(Background.Timeout) };
        using var guest = TestGuest.Attach(device, new TestGuestOptions
        {
            Memory = memory,
            Server = new VfioUserServerOptions { DmaTimeout = TimeSpan.FromHours(1) },
        });
        Iova place = guest.Place("here"u8);
        using GuestDmaFault held = guest.Faults.HoldDma(count: int.MaxValue);
        access = Background.Run(() => device.Dma.TryRead(place, new byte[4]));
        held.WaitForHits();

        guest.Reset();

        (await access.WaitAsync(Background.Timeout)).Should().Be(DmaStatus.Cancelled);
        held.Release();
        device.Dma.TryRead(place, out byte first).Should().BeTrue("after the reset all is as before");
        first.Should().Be((byte)'h');
    }
}
