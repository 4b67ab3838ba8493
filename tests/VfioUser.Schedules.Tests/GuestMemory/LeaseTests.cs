using Xunit.Abstractions;

namespace VfioUser.Schedules.Tests;

public class LeaseTests(Sources sources, ITestOutputHelper output) : ScheduleTests(sources, output)
{
    [Theory]
    [InlineData("LeaseSlot.cs")]
    [InlineData("LeaseSlots.cs")]
    public void Unmap_waits_for_the_last_lease_and_leaves_no_slot(string file) => ShouldHold<LeaseWhileUnmapped>(file);

    [Fact]
    public void A_lease_that_ended_is_no_other_one_and_keeps_its_memory_while_it_is_used() => ShouldHold<LeaseEndsWhileUsed>("LeaseSlot.cs");

    [Theory]
    [InlineData("LeaseSlot.cs", "Interlocked.CompareExchange(ref _state, state | Held, state) == state", "Interlocked.Exchange(ref _state, state | Held) != 1")]
    [InlineData("LeaseSlot.cs", "(state & (Retired | Held | Uses)) == 0 &&", "(state & (Held | Uses)) == 0 &&")]
    [InlineData("LeaseSlot.cs", "(state & ~Held) + (1ul << GenerationShift)", "state & ~Held")]
    [InlineData("LeaseSlots.cs", "if (!region.IsOpen)", "if (false)")]
    [InlineData("LeaseSlots.cs", "Interlocked.CompareExchange(ref place, slot, null) is not null", "Interlocked.Exchange(ref place, slot) is null && false")]
    [InlineData("GuestRegion.cs", "_leases.Retire();", "")]
    [Trait("Category", "Long")]
    public void Schedules_of_an_unmap_find(string file, string text, string replacement) => ShouldFail<LeaseWhileUnmapped>(file, text, replacement);

    [Fact]
    public void A_lease_that_is_held_when_its_region_is_unmapped_stays() => ShouldHold<LeaseAcrossUnmap>("LeaseSlot.cs");

    [Theory]
    [InlineData("LeaseSlot.cs", "Interlocked.Or(ref _state, Retired)", "Interlocked.Exchange(ref _state, Volatile.Read(ref _state) | Retired)")]
    [InlineData("LeaseSlot.cs", "Retired) & (Retired | Held | Uses)) == 0", "Retired) & (Retired | Uses)) == 0")]
    [Trait("Category", "Long")]
    public void Schedules_of_a_lease_across_an_unmap_find(string file, string text, string replacement) => ShouldFail<LeaseAcrossUnmap>(file, text, replacement);

    [Theory]
    [InlineData("LeaseSlot.cs", "if ((next & Uses) == 0)", "if (true)")]
    [InlineData("LeaseSlot.cs", "if ((state & (Held | Uses)) == 0)", "if ((state & Uses) == 0)")]
    [InlineData("LeaseSlot.cs", "Interlocked.CompareExchange(ref _state, state + 1, state)", "Interlocked.Exchange(ref _state, state + 1)")]
    [InlineData("LeaseSlot.cs", "state >> GenerationShift == generation", "true")]
    [Trait("Category", "Long")]
    public void Schedules_of_a_use_find(string file, string text, string replacement) => ShouldFail<LeaseEndsWhileUsed>(file, text, replacement);
}
