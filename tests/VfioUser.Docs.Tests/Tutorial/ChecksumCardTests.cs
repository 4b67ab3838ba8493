using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Docs.Tests.Tutorial;

/// <summary>The tests that <c>docs/tutorial.md</c> writes, stage by stage.</summary>
public class ChecksumCardTests
{
    [Theory]
    [InlineData(GuestMemoryKind.Mapped)]
    [InlineData(GuestMemoryKind.FileIo)]
    [InlineData(GuestMemoryKind.TwinSocket)]
    [InlineData(GuestMemoryKind.SingleSocket)]
    public void Jobs_of_the_ring_are_done_and_one_interrupt_tells(GuestMemoryKind memory)
    {
        using var guest = TestGuest.Attach(new ChecksumCard(), memory);
        GuestRing<Job> ring = Start(guest);

        ring.Put(new Job { Address = guest.Place([1, 2, 3]).Value, Length = 3 });
        ring.Put(new Job { Address = guest.Place([250, 10]).Value, Length = 2 });
        guest.Registers["TAIL"].Write((ulong)ring.Tail);

        guest.MsiX.TakeAll().Should().Equal(1);
        ring.TryTake(job => job.Status is JobStatus.Done, out Job first).Should().BeTrue();
        ring.TryTake(job => job.Status is JobStatus.Done, out Job second).Should().BeTrue();
        (first.Sum, second.Sum).Should().Be((6u, 260u));
        guest.Registers["HEAD"].Read().Should().Be(2);
    }

    // what a driver's probe does
    private static GuestRing<Job> Start(TestGuest guest)
    {
        guest.StartDriver();
        GuestRing<Job> ring = new(guest.Memory, count: 4);
        guest.Registers["RING"].Write(ring.Address.Value);
        guest.Registers["COUNT"].Write((ulong)ring.Count);
        guest.Registers["CONTROL"].Write((ulong)ChecksumCard.Control.Enable);
        return ring;
    }

    [Fact]
    public void Cause_stays_until_the_driver_clears_it()
    {
        using var guest = TestGuest.Attach(new ChecksumCard());
        GuestRing<Job> ring = Start(guest);
        ring.Put(new Job { Address = guest.Place([1]).Value, Length = 1 });
        guest.Registers["TAIL"].Write((ulong)ring.Tail);

        guest.Registers["CAUSE"].Read().Should().Be((ulong)ChecksumCard.Cause.Done);
        guest.Registers["CAUSE"].Write((ulong)ChecksumCard.Cause.Done);
        guest.Registers["CAUSE"].Read().Should().Be(0);
    }

    [Fact]
    public void Jobs_go_round_the_ring()
    {
        using var guest = TestGuest.Attach(new ChecksumCard());
        GuestRing<Job> ring = Start(guest);

        for (byte i = 1; i <= 10; i++)
        {
            ring.Put(new Job { Address = guest.Place([i]).Value, Length = 1 });
            guest.Registers["TAIL"].Write((ulong)ring.Tail);
            ring.TryTake(job => job.Status is JobStatus.Done, out Job done).Should().BeTrue();
            done.Sum.Should().Be(i);
        }
    }

    [Theory]
    [InlineData(0xDEAD_0000_0000, 4)] // there is no memory
    [InlineData(0x1_0000_0000, 4097)] // longer than the card can
    public void Bad_job_is_marked_and_the_ring_goes_on(ulong address, uint length)
    {
        using var guest = TestGuest.Attach(new ChecksumCard());
        GuestRing<Job> ring = Start(guest);

        ring.Put(new Job { Address = address, Length = length });
        ring.Put(new Job { Address = guest.Place([5]).Value, Length = 1 });
        guest.Registers["TAIL"].Write((ulong)ring.Tail);

        ring.TryTake(job => job.Status is JobStatus.Fault, out _).Should().BeTrue();
        ring.TryTake(job => job.Status is JobStatus.Done, out Job good).Should().BeTrue();
        good.Sum.Should().Be(5);
        guest.Registers["CAUSE"].Read().Should().Be((ulong)(ChecksumCard.Cause.Done | ChecksumCard.Cause.Fault));
    }

    [Theory]
    [InlineData("RING", ulong.MaxValue - 7)]
    [InlineData("COUNT", 0)]
    [InlineData("COUNT", 1025)]
    [InlineData("TAIL", 4)]
    public void Ring_that_cannot_be_is_a_fault(string register, ulong value)
    {
        using var guest = TestGuest.Attach(new ChecksumCard());
        Start(guest);

        guest.Registers[register].Write(value);
        if (register is not "TAIL")
            guest.Registers["TAIL"].Write(1);

        guest.Registers["CAUSE"].Read().Should().Be((ulong)ChecksumCard.Cause.Fault);
        guest.MsiX[0].Take().Should().BePositive();
    }

    [Fact]
    public void Memory_that_fails_is_a_fault_and_the_next_job_is_done()
    {
        using var guest = TestGuest.Attach(new ChecksumCard(), GuestMemoryKind.SingleSocket);
        GuestRing<Job> ring = Start(guest);
        ring.Put(new Job { Address = guest.Place([1]).Value, Length = 1 });

        using (guest.Faults.FailDma(Errno.EIO, DmaDirection.Read, skip: 1)) // the job's data, after the job
            guest.Registers["TAIL"].Write((ulong)ring.Tail);

        ring.TryTake(job => job.Status is JobStatus.Fault, out _).Should().BeTrue();
    }

    [Fact]
    public void Reset_of_the_driver_empties_the_card_and_it_starts_again()
    {
        using var guest = TestGuest.Attach(new ChecksumCard());
        GuestRing<Job> ring = Start(guest);
        ring.Put(new Job { Address = guest.Place([1]).Value, Length = 1 });
        guest.Registers["TAIL"].Write((ulong)ring.Tail);

        guest.Registers["CONTROL"].Write((ulong)ChecksumCard.Control.Reset);

        guest.Registers["HEAD"].Read().Should().Be(0);
        guest.Registers["CONTROL"].Read().Should().Be(0, "the bit clears itself");
        ring = Start(guest);
        ring.Put(new Job { Address = guest.Place([7]).Value, Length = 1 });
        guest.Registers["TAIL"].Write((ulong)ring.Tail);
        ring.TryTake(job => job.Status is JobStatus.Done, out Job done).Should().BeTrue();
        done.Sum.Should().Be(7);
    }

    [Fact]
    public void Guest_migrates_between_two_jobs()
    {
        using var guest = TestGuest.Attach(new ChecksumCard());
        GuestRing<Job> ring = Start(guest);
        ring.Put(new Job { Address = guest.Place([1]).Value, Length = 1 });
        guest.Registers["TAIL"].Write((ulong)ring.Tail);
        ring.Put(new Job { Address = guest.Place([2, 2]).Value, Length = 2 });

        using TestGuest target = guest.MigrateTo(new ChecksumCard());
        ring.MoveTo(target.Memory);
        target.Registers["TAIL"].Write((ulong)ring.Tail);

        ring.TryTake(job => job.Status is JobStatus.Done, out _).Should().BeTrue();
        ring.TryTake(job => job.Status is JobStatus.Done, out Job second).Should().BeTrue();
        second.Sum.Should().Be(4);
    }
}
