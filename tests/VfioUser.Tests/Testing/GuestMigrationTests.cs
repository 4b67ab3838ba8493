using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests;

public class GuestMigrationTests
{
    [Theory]
    [ClassData(typeof(EachWay))]
    public void A_guest_moves_with_device_memory_and_interrupts(GuestMemoryKind memory)
    {
        MovingDevice here = new() { Own = [1, 2, 3] };
        MovingDevice there = new();
        using var guest = TestGuest.Attach(here, memory);
        Iova first = guest.Place("first"u8);
        guest.StartDriver();
        guest.Bar0.Write(0, 7u);
        guest.MsiX[1].Mask();
        here.Irqs[1].Trigger();

        using TestGuest target = guest.MigrateTo(there);

        target.Device.Should().BeSameAs(there);
        target.Bar0.Read<uint>(0).Should().Be(7);
        there.Own.Should().Equal(1, 2, 3);
        target.Memory.ReadBytes(first, 5).Should().Equal("first"u8.ToArray());
        there.Dma.TryRead(first, out byte found).Should().BeTrue();
        found.Should().Be((byte)'f');
        target.Memory.Allocate(1).Should().Be(first + 4096, "allocations go on");
        there.Config.MsiX!.IsEnabled.Should().BeTrue();
        there.Irqs[0].Trigger().Should().BeTrue();
        target.MsiX.TakeAll().Should().Equal(1, 0, 0);
        target.MsiX[1].Unmask();
        target.MsiX[1].WaitForNext();
        (guest.Migration.GetState(), target.Migration.GetState()).Should().Be((MigrationState.Stop, MigrationState.Running));
        target.Interrupts(IrqType.Intx).EnabledCount.Should().Be(0);
    }

    [Fact]
    public void Device_writes_during_pre_copy_arrive()
    {
        MovingDevice here = new() { Own = new byte[1000] };
        MovingDevice there = new();
        using var guest = TestGuest.Attach(here);
        Iova place = guest.Memory.Allocate(3 * 4096);
        List<int> rounds = [];

        using TestGuest target = guest.MigrateTo(there, new GuestMigrationOptions
        {
            MaxPreCopyRounds = 3,
            DuringPreCopy = round =>
            {
                rounds.Add(round);
                here.Dma.TryWrite(place + (ulong)(round - 1) * 4096, (uint)round).Should().BeTrue();
                guest.Memory.Write(place + (ulong)(round - 1) * 4096 + 8, (byte)round);
                guest.Bar0.Write(0, (uint)round);
            },
        });

        rounds.Should().Equal(1, 2, 3);
        for (uint round = 1; round <= 3; round++)
        {
            target.Memory.Read<uint>(place + (round - 1) * 4096).Should().Be(round);
            target.Memory.Read<byte>(place + (round - 1) * 4096 + 8).Should().Be((byte)round);
        }
        target.Bar0.Read<uint>(0).Should().Be(3);
    }

    [Fact]
    public void A_device_that_writes_while_it_is_stopped_is_detected()
    {
        RestlessDevice restless = new();
        using var guest = TestGuest.Attach(restless);
        restless.Place = guest.Memory.Allocate(4096);

        guest.Invoking(it => it.MigrateTo(new RestlessDevice())).Should().Throw<TestGuestException>()
            .WithMessage($"The page at {restless.Place} is not the same at the target: RestlessDevice wrote it after OnStopped*");
    }

    [Fact]
    public void A_device_without_migration_is_reported()
    {
        using var guest = TestGuest.Attach(new PlainDevice(migration: false));

        guest.Migration.GetFlags().Should().Be(MigrationFlags.None);
        guest.Invoking(it => it.MigrateTo(new PlainDevice())).Should().Throw<TestGuestException>().WithMessage("PlainDevice*EnableMigration*");
    }

    [Fact]
    public void A_target_that_refuses_leaves_a_source_that_can_go_on()
    {
        MovingDevice here = new();
        MovingDevice there = new(secondRegister: false);
        using var guest = TestGuest.Attach(here);
        guest.Bar0.Write(0, 7u);

        guest.Invoking(it => it.MigrateTo(there)).Should().Throw<Client.VfioUserException>().Which.Errno.Should().Be(Errno.EINVAL);
        guest.Migration.Resume();

        guest.Bar0.Read<uint>(0).Should().Be(7);
        using var again = TestGuest.Attach(there);
        again.Bar0.Read<uint>(0).Should().Be(0, "the target's device is free, and was reset");
    }

    [Fact]
    public void An_exception_of_the_target_is_the_cause()
    {
        MovingDevice there = new();
        there.Throws["EndRestore"] = new InvalidOperationException("on purpose");
        using var guest = TestGuest.Attach(new MovingDevice());

        guest.Invoking(it => it.MigrateTo(there)).Should().Throw<Client.VfioUserException>()
            .WithInnerException<InvalidOperationException>().WithMessage("on purpose");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(100)]
    [InlineData(1 << 20)]
    public void State_is_a_piece_of_bytes_that_can_be_kept(int pieceSize)
    {
        MovingDevice here = new() { Own = [.. Enumerable.Range(0, 500).Select(i => (byte)i)] };
        MovingDevice there = new();
        using var source = TestGuest.Attach(here);
        using var target = TestGuest.Attach(there);
        source.Bar0.Write(0, 7u);

        byte[] state = source.Migration.Save(pieceSize);
        source.Migration.GetState().Should().Be(MigrationState.Stop);
        target.Migration.Restore(state);

        target.Migration.GetState().Should().Be(MigrationState.Running);
        target.Bar0.Read<uint>(0).Should().Be(7);
        there.Own.Should().Equal(here.Own);
        source.Migration.Resume();
        source.Bar0.Read<uint>(0).Should().Be(7);
    }

    [Theory]
    [ClassData(typeof(EachWay))]
    public void Pages_that_the_device_writes_are_dirty_with_every_kind_of_access(GuestMemoryKind memory)
    {
        PlainDevice device = new();
        using var guest = TestGuest.Attach(device, memory);
        Iova pages = guest.Memory.Allocate(200 * 4096);
        guest.Memory.Invoking(it => it.TakeDirtyPages()).Should().Throw<InvalidOperationException>();

        guest.Memory.StartDirtyLog();
        guest.Memory.Write<uint>(pages, 1);
        device.Dma.TryWrite(pages + 4096 + 4090, new byte[10]).Should().BeTrue();
        device.Dma.TryWrite(pages + 150 * 4096, (byte)1).Should().BeTrue();

        guest.Memory.TakeDirtyPages().Should().Equal(pages + 4096, pages + 2 * 4096, pages + 150 * 4096);
        guest.Memory.TakeDirtyPages().Should().BeEmpty();
        device.Dma.TryWrite(pages + 4 * 4096, (byte)1).Should().BeTrue();
        guest.Memory.Unmap();
        guest.Memory.TakeDirtyPages().Should().Equal([pages + 4 * 4096], "the last are told when it is unmapped");
        guest.Memory.StopDirtyLog();
    }

    /// <summary>Writes guest memory while its state is saved.</summary>
    private sealed class RestlessDevice : PciDevice, IMigrationState
    {
        public RestlessDevice()
            : base(new PciId(0x1B36, 0x00F6), PciClass.Other) => EnableMigration(this);

        public Iova Place { get; set; }

        public void BeginSave()
        {
        }

        public int Save(Span<byte> destination, bool stopped)
        {
            if (stopped)
                Dma.TryWrite<uint>(Place, 0x1234).Should().BeTrue();
            return 0;
        }

        public void BeginRestore()
        {
        }

        public void Restore(ReadOnlySpan<byte> source)
        {
        }

        public void EndRestore()
        {
        }
    }
}
