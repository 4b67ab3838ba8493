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
    public void Leases_of_nothing_and_refused_ones_are_no_leaks()
    {
        using TestGuest guest = TestGuest.Attach(_device);

        _device.Dma.TryLease(new Iova(0xDEAD), 0, writable: false, out _).Should().BeTrue();
        _device.Dma.TryLease(guest.Memory.Address, ulong.MaxValue, writable: false, out _).Should().BeFalse();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Forget(Iova buffer) => _device.Dma.TryLease(buffer, 512, writable: true, out _).Should().BeTrue();
}
