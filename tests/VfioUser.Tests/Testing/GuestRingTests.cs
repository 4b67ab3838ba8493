using System.Runtime.InteropServices;
using VfioUser.Testing;

namespace VfioUser.Tests;

public sealed class GuestRingTests : IDisposable
{
    private readonly TestGuest _guest = TestGuest.Attach(new SumCard());

    public void Dispose() => _guest.Dispose();

    [Fact]
    public void Device_works_through_what_is_put()
    {
        TestGuest guest = _guest;
        GuestRing<Job> ring = new(guest.Memory, count: 4);
        guest.Registers["RING"].Write(ring.Address.Value);
        guest.Registers["COUNT"].Write((ulong)ring.Count);

        ring.Put(new Job(guest.Place("abc"u8).Value, Length: 3));
        guest.Registers["TAIL"].Write((ulong)ring.Tail);
        guest.MsiX[0].WaitForNext();

        ring.TryTake(job => job.IsDone, out Job done).Should().BeTrue();
        done.Sum.Should().Be('a' + 'b' + 'c');
    }

    [Fact]
    public void Entries_are_taken_in_order_over_many_laps()
    {
        GuestRing<Job> ring = new(_guest.Memory, count: 4);
        _guest.Registers["RING"].Write(ring.Address.Value);
        _guest.Registers["COUNT"].Write((ulong)ring.Count);
        Iova bytes = _guest.Place([1, 2, 3]);

        for (int round = 0; round < 7; round++)
        {
            for (int length = 1; length <= 3; length++)
                ring.Put(new Job(bytes.Value, length));
            ring.Free.Should().Be(0);
            ring.TryTake(job => job.IsDone, out _).Should().BeFalse("the device has not been told");
            _guest.Registers["TAIL"].Write((ulong)ring.Tail);

            foreach (ushort sum in new ushort[] { 1, 3, 6 })
            {
                ring.TryTake(job => job.IsDone, out Job done).Should().BeTrue();
                done.Sum.Should().Be(sum);
            }
            ring.TryTake(job => job.IsDone, out _).Should().BeFalse("what is there is of the last lap");
        }
        ring.Laps.Should().Be(7 * 3 / 4);
    }

    [Fact]
    public void Full_ring_takes_no_more()
    {
        GuestRing<ulong> ring = new(_guest.Memory, count: 2);
        ring.Put(1).Should().Be(0);

        ring.Invoking(full => full.Put(2)).Should().Throw<TestGuestException>().WithMessage("*2 entries is full*");

        ring.Head = 1;
        ring.Put(2).Should().Be(1);
        (ring[0], ring[1]).Should().Be((1ul, 2ul));
        _guest.Memory.Read<ulong>(ring.AddressOf(1)).Should().Be(2);
    }

    [Fact]
    public void Results_of_a_device_are_told_by_their_phase()
    {
        GuestRing<uint> results = new(_guest.Memory, count: 3);
        uint Phase() => results.Laps % 2 == 0 ? 1u : 0;

        for (uint i = 0; i < 8; i++)
        {
            results.TryReceive(result => (result & 1) == Phase(), out _).Should().BeFalse();
            results[(int)(i % 3)] = i << 1 | Phase(); // as the device does
            results.TryReceive(result => (result & 1) == Phase(), out uint taken).Should().BeTrue();
            (taken >> 1).Should().Be(i);
        }
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(4)]
    public void Index_outside_is_refused(int index)
    {
        GuestRing<Job> ring = new(_guest.Memory, count: 4);

        ring.Invoking(it => it[index]).Should().Throw<ArgumentOutOfRangeException>();
        ring.Invoking(it => it.Head = index).Should().Throw<ArgumentOutOfRangeException>();
        ring.Invoking(it => it.Tail = index).Should().Throw<ArgumentOutOfRangeException>();
    }

    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    private readonly record struct Job(ulong Address, int Length, ushort Sum = 0, ushort Status = 0)
    {
        public bool IsDone => Status == 1;
    }

    /// <summary>Adds up the bytes that the entries of a ring name.</summary>
    private sealed class SumCard : PciDevice
    {
        private readonly Register<ulong> _ring;
        private readonly Register<uint> _count;
        private readonly Irq _done;
        private uint _head;

        public SumCard()
            : base(new PciId(0x1B36, 0x00F7), PciClass.Other)
        {
            Bar bar = AddBar(0, BarKind.Memory32, size: 0x1000);
            _done = bar.AddMsiX(offset: 0x800, vectors: 1)[0];
            _ring = bar.AddRegister<ulong>(0x00, new() { Name = "RING" });
            _count = bar.AddRegister<uint>(0x08, new() { Name = "COUNT" });
            bar.AddDoorbell<uint>(0x0C, Run, "TAIL");
        }

        private void Run(uint tail)
        {
            for (; _head != tail % _count.Value; _head = (_head + 1) % _count.Value)
            {
                Iova entry = new Iova(_ring.Value) + _head * 16;
                byte[] bytes = new byte[16];
                if (!Dma.TryRead(entry, out Job job) || job.Length > bytes.Length || !Dma.TryRead(new Iova(job.Address), bytes.AsSpan(0, job.Length)))
                    return;
                Dma.TryWriteStruct(entry, job with { Sum = (ushort)bytes.Sum(value => value), Status = 1 });
            }
            _done.Trigger();
        }
    }
}
