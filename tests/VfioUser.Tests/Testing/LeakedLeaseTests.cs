using System.Runtime.CompilerServices;
using VfioUser.Testing;

namespace VfioUser.Tests;

public class LeakedLeaseTests
{
    private readonly BlankDevice _device = new();

    [Fact]
    public void Leases_that_are_never_disposed_fail_the_test_and_say_where_they_were_taken()
    {
        TestGuest guest = TestGuest.Attach(_device, new() { Timeout = TimeSpan.FromSeconds(1) });
        Iova buffer = guest.Memory.Allocate(4096);
        Forget(buffer);
        _device.Dma.TryLease(buffer, 16, writable: false, out DmaLease returned).Should().BeTrue();
        returned.Dispose();

        string message = guest.Invoking(leaving => leaving.Dispose()).Should().Throw<TestGuestException>().Which.Message;

        message.Should().Contain($"a lease of 512 bytes at {buffer}").And.Contain(nameof(Forget)).And.NotContain("lease of 16 bytes");
    }

    [Fact]
    public void An_unmap_names_the_lease_that_it_waits_for_long_before_the_timeout()
    {
        TestGuest guest = TestGuest.Attach(_device, new() { Timeout = TimeSpan.FromMinutes(5) });
        Iova buffer = guest.Memory.Allocate(4096);
        Forget(buffer);

        string message = guest.Invoking(waiting => waiting.Memory.Unmap()).Should().Throw<TestGuestException>().Which.Message;
        string atTheEnd = guest.Invoking(leaving => leaving.Dispose()).Should().Throw<TestGuestException>().Which.Message;

        message.Should().StartWith("The guest waits for its memory to be unmapped").And.Contain($"a lease of 512 bytes at {buffer}").And.Contain(nameof(Forget));
        atTheEnd.Should().Contain($"a lease of 512 bytes at {buffer}").And.Contain(nameof(Forget));
        message.Should().NotContain("Dma.TryLease", "the stack begins with the device's code");
    }

    [Fact]
    public void A_guest_that_leaves_names_the_pin_that_is_left_long_before_the_timeout()
    {
        TestGuest guest = TestGuest.Attach(_device, new() { Timeout = TimeSpan.FromMinutes(5) });
        Iova buffer = guest.Memory.Allocate(4096);
        _device.Dma.TryPin(buffer, 256, DmaPinAccess.Read, out _).Should().BeTrue();

        string message = guest.Invoking(leaving => leaving.Dispose()).Should().Throw<TestGuestException>().Which.Message;

        message.Should().Contain($"a pin of 256 bytes, the first at {buffer}").And.Contain(nameof(A_guest_that_leaves_names_the_pin_that_is_left_long_before_the_timeout));
    }

    [Fact]
    public async Task An_unmap_on_another_thread_waits_for_a_lease_that_is_held_for_longer()
    {
        using TestGuest guest = TestGuest.Attach(_device, new() { LeaseTimeout = TimeSpan.FromMilliseconds(1) });
        _device.Dma.TryLease(guest.Memory.Address, 16, writable: false, out DmaLease lease).Should().BeTrue();

        Task unmap = guest.Memory.UnmapAsync();
        Background.MustBecomeTrue(() => _device.Dma.Regions.Count == 0, "the unmap begins");
        unmap.IsCompleted.Should().BeFalse();
        lease.Dispose();

        await unmap.WaitAsync(Background.Timeout);
    }

    [Fact]
    public void Leases_of_nothing_and_refused_ones_are_no_leaks()
    {
        using TestGuest guest = TestGuest.Attach(_device);

        _device.Dma.TryLease(new Iova(0xDEAD), 0, writable: false, out _).Should().BeTrue();
        _device.Dma.TryLease(guest.Memory.Address, ulong.MaxValue, writable: false, out _).Should().BeFalse();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Forget(Iova buffer) => _device.Dma.TryLease(buffer, 512, writable: true, out _).Should().BeTrue();
}
