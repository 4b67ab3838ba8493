using VfioUser.Testing;
using VfioUser.Tests.Serving;

namespace VfioUser.Tests;

/// <summary>A part on a device of its own, without a server.</summary>
public sealed class TestDeviceTests
{
    [Fact]
    public void Part_gets_each_call_once_and_in_order()
    {
        TestDevice device = new();
        DiaryPart part = new(device);

        device.Write(part.Bar, 0, 7u);
        device.Memory.Unmap();
        device.Memory.Map();
        device.Reset();
        device.Reset(ResetReason.FunctionLevel);
        device.Dispose();

        part.Diary.Should().Equal("attached", "mapped", "written 7", "unmapping", "mapped", "reset ClientRequested", "reset FunctionLevel",
            "unmapping", "detached", "disposed");
    }

    [Fact]
    public void Memory_is_accessible_while_mapped_and_bus_mastering_is_enabled()
    {
        using TestDevice device = new();
        Iova address = device.Memory.Place([1, 2, 3, 4]);
        device.Dma.TryRead(address, out uint value).Status.Should().Be(DmaStatus.Done);
        value.Should().Be(0x04030201);
        byte[] byMessage = new byte[2];
        device.Dma.TryReadByMessage(address + 2, byMessage).IsDone.Should().BeTrue();
        byMessage.Should().Equal(3, 4);

        device.WriteConfig<ushort>(4, 3);
        device.Dma.TryRead(address, out value).Status.Should().Be(DmaStatus.BusMasterOff);
        device.Reset();
        device.Dma.TryWrite(address, 5u).Status.Should().Be(DmaStatus.Done);
        device.Memory.Read<uint>(address).Should().Be(5);
        device.Memory.Unmap();

        device.Dma.TryRead(address, out value).Status.Should().Be(DmaStatus.NotMapped);
        device.Memory.Map();
        device.Dma.TryRead(address, out value).IsDone.Should().BeTrue();
    }

    [Fact]
    public void Lease_that_a_part_holds_over_an_unmap_fails_the_test()
    {
        using TestDevice device = new();
        device.Dma.TryLease(TestMemory.Address, 8, writable: false, out DmaLease lease).Should().BeTrue();

        device.Memory.Invoking(memory => memory.Unmap()).Should().Throw<TestGuestException>()
            .WithMessage($"*a lease of 8 bytes*{nameof(Lease_that_a_part_holds_over_an_unmap_fails_the_test)}*");

        lease.Dispose();
    }

    [Fact]
    public void Exceptions_of_handlers_posts_and_timers_are_those_of_the_call()
    {
        using TestDevice device = new();
        DeviceTimer timer = device.AddTimer(() => throw new InvalidDataException("timer"));
        Bar bar = device.AddBar(1, BarKind.Memory32, 16, (_, _) => throw new InvalidDataException("read"), (_, _) => { });

        device.Invoking(d => d.Read<uint>(bar, 0)).Should().Throw<Exception>().Which.GetBaseException().Message.Should().Be("read");
        device.Post(() => throw new InvalidDataException("post"));
        device.Invoking(d => d.RunPosted()).Should().Throw<InvalidDataException>().WithMessage("post");
        timer.Start(TimeSpan.FromSeconds(1));
        device.Advance(TimeSpan.FromMilliseconds(999));
        device.Invoking(d => d.Advance(TimeSpan.FromMilliseconds(1))).Should().Throw<InvalidDataException>().WithMessage("timer");
    }

    [Fact]
    public void A_part_that_posts_endlessly_is_reported()
    {
        using TestDevice device = new();
        device.Post(Again);

        device.Invoking(d => d.RunPosted()).Should().Throw<TestGuestException>();

        void Again() => device.Post(Again);
    }

    [Fact]
    public void Reset_that_a_part_requests_runs_with_the_next_access()
    {
        using TestDevice device = new();
        DiaryPart part = new(device);
        device.Write(part.Bar, 0, 7u);

        Task<bool> reset = device.RequestResetAsync();
        device.Read<uint>(part.Bar, 0).Should().Be(7u);

        reset.ShouldGive(true);
        device.Read<uint>(part.Bar, 0).Should().Be(0u);
        part.Diary.Should().EndWith("reset DeviceRequested");
    }

    [Fact]
    public void A_level_is_automasked_until_the_test_unmasks_it()
    {
        using TestDevice device = new();
        Intx intx = device.AddIntx();
        using TestIrq counted = new(intx);

        intx.Assert();
        intx.Assert();
        counted.Take().Should().Be(1);
        counted.Unmask();
        counted.Take().Should().Be(1);
        intx.Deassert();
        counted.Unmask();

        counted.Take().Should().Be(0);
        counted.Count.Should().Be(2);
    }

    [Fact]
    public void Memory_that_is_used_up_and_addresses_outside_are_the_tests_mistake()
    {
        using TestDevice device = new();
        device.Memory.Allocate(TestMemory.Size);

        device.Memory.Invoking(memory => memory.Allocate(1)).Should().Throw<InvalidOperationException>();
        device.Memory.Invoking(memory => memory.Allocate(int.MaxValue)).Should().Throw<InvalidOperationException>();
        device.Memory.Invoking(memory => memory.Read<uint>(TestMemory.Address + (TestMemory.Size - 3))).Should().Throw<ArgumentOutOfRangeException>();
        device.Memory.Invoking(memory => memory.ReadBytes(new Iova(0), 1)).Should().Throw<ArgumentOutOfRangeException>();
    }

    private sealed class DiaryPart : DevicePart
    {
        public DiaryPart(PciDevice device)
            : base(device)
        {
            Bar = device.AddBar(0, BarKind.Memory32, 0x1000);
            Bar.AddRegister(0, new RegisterOptions<uint> { OnWrite = write => Diary.Add($"written {write.New}") });
        }

        public Bar Bar { get; }

        public List<string> Diary { get; } = [];

        protected override void Dispose(bool disposing)
        {
            Diary.Add("disposed");
            base.Dispose(disposing);
        }

        protected internal override void OnAttached() => Diary.Add("attached");

        protected internal override void OnDetached() => Diary.Add("detached");

        protected internal override void OnReset(ResetReason reason) => Diary.Add($"reset {reason}");

        protected internal override void OnDmaMapped(DmaRegion region) => Diary.Add("mapped");

        protected internal override void OnDmaUnmapping(DmaRegion region) => Diary.Add("unmapping");
    }
}
