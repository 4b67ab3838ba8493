using VfioUser.Testing;

namespace VfioUser.Tests;

public class DevicePartTests
{
    [Fact]
    public void Parts_declare_registers_and_are_called_before_the_device()
    {
        Assembled device = new();
        using (TestGuest guest = TestGuest.Attach(device))
        {
            guest.Registers["LEFT.CTRL"].Write(5);
            guest.Registers["RIGHT.CTRL"].Write(6);
            guest.Reset();
        }
        device.Dispose();

        device.Diary.Should().ContainInOrder("LEFT attached", "RIGHT attached", "attached", "LEFT written 5", "RIGHT written 6",
            "LEFT reset ClientRequested", "RIGHT reset ClientRequested", "reset", "LEFT detached", "RIGHT detached", "LEFT disposed", "RIGHT disposed");
    }

    [Fact]
    public void Every_part_is_notified_of_unmapped_memory()
    {
        Assembled device = new();
        using TestGuest guest = TestGuest.Attach(device);

        guest.Memory.Unmap();

        device.Diary.Should().ContainInOrder("LEFT unmapping", "RIGHT unmapping");
    }

    [Fact]
    public void A_part_that_throws_keeps_nothing_from_the_others()
    {
        Assembled device = new() { Throws = true };
        using TestGuest guest = TestGuest.Attach(device);

        guest.Invoking(g => g.Reset()).Should().Throw<Client.VfioUserException>().WithInnerException<InvalidDataException>();

        device.Diary.Should().ContainInOrder("LEFT reset ClientRequested", "RIGHT reset ClientRequested", "reset");
        guest.Registers["LEFT.CTRL"].Read().Should().Be(0);
    }

    [Fact]
    public void State_of_parts_moves_with_the_device()
    {
        Assembled source = new();
        Assembled target = new();
        using TestGuest guest = TestGuest.Attach(source);
        guest.Registers["RIGHT.CTRL"].Write(6);

        using TestGuest moved = guest.MigrateTo(target);

        moved.Registers["RIGHT.CTRL"].Read().Should().Be(6);
        source.Diary.Should().ContainInOrder("LEFT stopped", "RIGHT stopped");
        target.Diary.Should().ContainInOrder("LEFT restored", "RIGHT restored", "LEFT started", "RIGHT started");
    }

    [Fact]
    public void A_device_that_is_served_takes_no_more_parts()
    {
        Assembled device = new();
        using TestGuest guest = TestGuest.Attach(device);

        FluentActions.Invoking(() => new Half(device, device.Bar0.AddBlock(0x800, "LATE"), "LATE")).Should().Throw<InvalidOperationException>();
    }

    [Fact]
    public void A_region_is_answered_by_two_methods_that_need_not_be_public()
    {
        using TestGuest guest = TestGuest.Attach(new Assembled());

        guest.Bar1.Write(4, 0xCAFEu);

        guest.Bar1.Read<uint>(4).Should().Be(0xCAFE);
    }

    private sealed class Assembled : PciDevice
    {
        private readonly byte[] _store = new byte[0x1000];

        public Assembled()
            : base(new PciId(0x1234, 0x5678), PciClass.Other)
        {
            Bar0 = AddBar(0, BarKind.Memory32, 0x1000);
            AddBar(1, BarKind.Memory32, 0x1000, Read, Write);
            _ = new Half(this, Bar0.AddBlock(0x000, "LEFT"), "LEFT");
            _ = new Half(this, Bar0.AddBlock(0x400, "RIGHT"), "RIGHT");
            EnableMigration();
        }

        public Bar Bar0 { get; }

        public bool Throws { get; init; }

        public List<string> Diary { get; } = [];

        protected override void OnAttached() => Diary.Add("attached");

        protected override void OnReset(ResetReason reason) => Diary.Add("reset");

        private void Read(long offset, Span<byte> destination) => _store.AsSpan((int)offset, destination.Length).CopyTo(destination);

        private void Write(long offset, ReadOnlySpan<byte> source) => source.CopyTo(_store.AsSpan((int)offset));
    }

    private sealed class Half : DevicePart
    {
        private readonly Assembled _device;
        private readonly string _name;

        public Half(Assembled device, RegisterBlock block, string name)
            : base(device)
        {
            (_device, _name) = (device, name);
            block.AddRegister<uint>(0, new() { Name = "CTRL", OnWrite = write => Tell($"written {write.New}") });
        }

        protected internal override void OnAttached() => Tell("attached");

        protected internal override void OnDetached() => Tell("detached");

        protected internal override void OnReset(ResetReason reason)
        {
            Tell($"reset {reason}");
            if (_device.Throws)
                throw new InvalidDataException("on purpose");
        }

        protected internal override void OnDmaUnmapping(DmaRegion region) => Tell("unmapping");

        protected internal override void OnStopped() => Tell("stopped");

        protected internal override void OnStarted() => Tell("started");

        protected internal override void OnRestored() => Tell("restored");

        protected override void Dispose(bool disposing)
        {
            base.Dispose(disposing);
            Tell("disposed");
        }

        private void Tell(string what) => _device.Diary.Add($"{_name} {what}");
    }
}
