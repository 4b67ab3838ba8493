using System.Buffers;
using System.Security.Cryptography;
using VfioUser.Protocol;
using VfioUser.Testing;
using static VfioUser.Protocol.MigrationState;

namespace VfioUser.Tests;

public class RestoreTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(7, 13)]
    [InlineData(4096, 100)]
    [InlineData(1 << 20, 1 << 20)]
    public void The_state_is_restored_from_pieces_of_any_size(int readSize, int writeSize)
    {
        MovingDevice source = Filled();
        byte[] stream = Saved(source, readSize);
        MovingDevice target = new();
        target.Shared.Span(0x2000, 0x2000).Fill(0xEE);
        using var guest = TestGuest.Attach(target);
        guest.Migration.SetState(Resuming);

        foreach (byte[] piece in stream.Chunk(writeSize))
            guest.Migration.Write(piece);
        guest.Migration.SetState(Running);

        target.Counter.Value.Should().Be(source.Counter.Value);
        target.Status!.Value.Should().Be(source.Status!.Value);
        target.Own.Should().Equal(source.Own);
        target.Shared.Span(0x2000, 0x2000).SequenceEqual(source.Shared.Span(0x2000, 0x2000)).Should().BeTrue();
        guest.Config.Read<uint>(0x80).Should().Be(0xCAFE_F00D);
        guest.Bar0.Read<uint>(0x1000).Should().Be(0xFEE0_0000, "of the MSI-X table");
        target.Pin.IsAsserted.Should().BeTrue();
        guest.Intx.WaitFor(1);
        guest.MsiX[1].WaitFor(1);
    }

    [Fact]
    public void Pre_copy_gives_part_of_the_state_while_the_device_runs_and_the_rest_when_it_stopped()
    {
        MovingDevice source = new() { Own = RandomNumberGenerator.GetBytes(100_000) };
        byte[] running;
        byte[] stopped;
        using (var guest = TestGuest.Attach(source))
        {
            guest.Migration.SetState(PreCopy);
            running = guest.Migration.Read(4096);
            guest.Bar0.Write(0, 5u);
            guest.Client.ReadMigrationData(new byte[100]).Should().Be(0);
            guest.Migration.SetState(StopCopy);
            stopped = guest.Migration.Read(4096);
            guest.Client.ReadMigrationData(new byte[100]).Should().Be(0);
        }
        MovingDevice target = new();

        Restored(target, [.. running, .. stopped]).Should().Be(Errno.None);

        running.Length.Should().BeGreaterThan(50_000);
        stopped.Length.Should().BeGreaterThan(50_000);
        target.Own.Should().Equal(source.Own);
        target.Counter.Value.Should().Be(5);
    }

    [Fact]
    public void A_stream_that_is_cut_anywhere_is_refused_and_leaves_the_device_in_error()
    {
        byte[] stream = Saved(Filled(), 1 << 20);
        MovingDevice target = new();
        using var guest = TestGuest.Attach(target);
        // every place in the front, where all the heads are, and some behind
        foreach (int length in Enumerable.Range(1, 200).Concat([1000, 3000, stream.Length - 13, stream.Length - 12, stream.Length - 1]))
        {
            guest.Migration.SetState(Resuming);
            guest.Migration.Write(stream.AsSpan(0, length));

            guest.Client.TrySetState(Stop).Should().Be(Errno.EINVAL, "{0} bytes", length);
            guest.Migration.GetState().Should().Be(Error);
            guest.Reset();
            guest.Migration.GetState().Should().Be(Running);
        }
        target.Diary.Should().NotContain("EndRestore");
    }

    [Fact]
    public void A_device_in_error_refuses_everything_but_a_reset()
    {
        using var guest = TestGuest.Attach(new MovingDevice());
        guest.Migration.SetState(Resuming);
        guest.Migration.Write("V"u8);
        guest.Client.TrySetState(Running).Should().Be(Errno.EINVAL);

        foreach (uint state in Enumerable.Range(0, 9))
            guest.Client.TrySetState(state).Should().Be(Errno.EINVAL);
        guest.Invoking(g => g.Bar0.Read<uint>(0)).Should().Throw<Client.VfioUserException>();
        guest.Invoking(g => g.Config.Read<uint>(0)).Should().Throw<Client.VfioUserException>();
        guest.Client.Try(Command.MigDataRead, ClientFeatures.MigrationData(12, 4)).Errno.Should().Be(Errno.EINVAL);
        guest.Client.Try(Command.MigDataWrite, ClientFeatures.MigrationData(12, 4, 1, 2, 3, 4)).Errno.Should().Be(Errno.EINVAL);

        guest.Reset();
        guest.Migration.GetState().Should().Be(Running);
    }

    [Fact]
    public void A_flipped_bit_anywhere_is_noticed()
    {
        byte[] stream = Saved(Filled(), 1 << 20);
        using var guest = TestGuest.Attach(new MovingDevice());
        Random random = new(3);
        foreach (int at in Enumerable.Range(0, 64).Concat(Enumerable.Range(0, 200).Select(_ => random.Next(stream.Length))))
        {
            byte[] damaged = [.. stream];
            damaged[at] ^= (byte)(1 << random.Next(8));
            guest.Migration.SetState(Resuming);
            try
            {
                guest.Migration.Write(damaged);
            }
            catch (Client.VfioUserException e)
            {
                e.Errno.Should().Be(Errno.EINVAL);
            }

            guest.Client.TrySetState(Running).Should().Be(Errno.EINVAL, "byte {0}", at);
            guest.Reset();
        }
    }

    [Fact]
    public void Bytes_behind_the_end_are_refused()
    {
        byte[] stream = Saved(Filled(), 1 << 20);

        Restored(new MovingDevice(), [.. stream, 0]).Should().Be(Errno.EINVAL);
    }

    [Fact]
    public void Another_device_or_another_shape_is_refused()
    {
        byte[] stream = Saved(Filled(), 1 << 20);

        Restored(new MovingDevice(device: 0x1234), stream).Should().Be(Errno.EINVAL);
        Restored(new MovingDevice(secondRegister: false), stream).Should().Be(Errno.EINVAL);
        Restored(new MovingDevice(irqs: 4), stream).Should().Be(Errno.EINVAL);
        Restored(new PlainDevice(), stream).Should().Be(Errno.EINVAL);
        Restored(new MovingDevice(), stream).Should().Be(Errno.None);
    }

    [Theory]
    [InlineData("BeginRestore", true, Errno.EIO)]
    [InlineData("Restore", true, Errno.EIO)]
    [InlineData("Restore", false, Errno.EINVAL)]
    [InlineData("EndRestore", true, Errno.EIO)]
    [InlineData("EndRestore", false, Errno.EINVAL)]
    public void A_device_that_cannot_take_its_state_fails_the_command(string where, bool fault, Errno errno)
    {
        byte[] stream = Saved(Filled(), 1 << 20);
        MovingDevice target = new();
        target.Throws[where] = fault ? new InvalidOperationException("on purpose") : new InvalidDataException("on purpose");

        Restored(target, stream).Should().Be(errno);
    }

    [Fact]
    public void Without_data_the_device_keeps_its_state()
    {
        MovingDevice target = new();
        using var guest = TestGuest.Attach(target);
        guest.Bar0.Write(0, 9u);
        guest.Migration.SetState(Resuming);
        guest.Client.Try(Command.MigDataWrite, ClientFeatures.MigrationData(8, 0)).Errno.Should().Be(Errno.None);

        guest.Migration.SetState(Running);

        guest.Bar0.Read<uint>(0).Should().Be(9);
        target.Diary.Should().NotContain("BeginRestore");
    }

    [Fact]
    public void A_structure_moves_with_one_line()
    {
        StructDevice source = new() { State = new StructState(1, 2, 3) };
        StructDevice target = new();

        Restored(target, Saved(source, 5)).Should().Be(Errno.None);

        target.State.Should().Be(source.State);
    }

    [Fact]
    public void A_buffer_moves_and_a_longer_one_than_the_limit_is_refused()
    {
        byte[] content = RandomNumberGenerator.GetBytes(100_000);
        BufferDevice target = new(100_000);

        Restored(target, Saved(new BufferDevice(100_000) { Content = content }, 777)).Should().Be(Errno.None);
        target.Content.Should().Equal(content);

        Restored(new BufferDevice(99_999), Saved(new BufferDevice(100_000) { Content = content }, 777)).Should().Be(Errno.EINVAL);
    }

    [Fact]
    public void Registers_move_without_a_line()
    {
        PlainDevice source = new();
        source.Value.Value = 0xABCD;
        PlainDevice target = new();

        Restored(target, Saved(source, 3)).Should().Be(Errno.None);

        target.Value.Value.Should().Be(0xABCD);
    }

    [Fact]
    public void Enabling_twice_is_a_mistake()
    {
        FluentActions.Invoking(() => new TwiceDevice()).Should().Throw<InvalidOperationException>();
    }

    private static MovingDevice Filled()
    {
        MovingDevice device = new() { Own = RandomNumberGenerator.GetBytes(1234) };
        using var guest = TestGuest.Attach(device);
        guest.Bar0.Write(0, 0x1234_5678u);
        device.Status!.Value = 0x1122_3344_5566_7788;
        guest.Config.Write(0x80, 0xCAFE_F00Du);
        guest.Bar0.Write(0x1000, 0xFEE0_0000u);
        RandomNumberGenerator.Fill(device.Shared.Span(0x2000, 0x2000));
        return device;
    }

    private static byte[] Saved(PciDevice device, int readSize)
    {
        using var guest = TestGuest.Attach(device);
        if (device is MovingDevice moving)
        {
            // one interrupt is inhibited by its mask, INTx by being asserted
            guest.MsiX[1].Mask();
            moving.Irqs[1].Trigger();
            moving.Pin.Assert();
        }
        return guest.Migration.Save(readSize);
    }

    private static Errno Restored(PciDevice device, byte[] stream)
    {
        using var guest = TestGuest.Attach(device);
        try
        {
            guest.Migration.Restore(stream);
            return Errno.None;
        }
        catch (Client.VfioUserException e)
        {
            guest.Client.TrySetState(Stop).Should().NotBe(Errno.None, "what failed once does not become good");
            guest.Migration.GetState().Should().Be(Error);
            return e.Errno;
        }
    }

    private readonly record struct StructState(int A, long B, byte C);

    private sealed class StructDevice : PciDevice
    {
        public StructDevice()
            : base(new PciId(1, 2), PciClass.Other) => EnableMigration(() => State, state => State = state);

        public StructState State { get; set; }
    }

    private sealed class BufferDevice : PciDevice
    {
        public BufferDevice(int limit)
            : base(new PciId(1, 2), PciClass.Other) =>
            EnableMigration(writer => writer.Write(Content), state => Content = state.ToArray(), limit);

        public byte[] Content { get; set; } = [];
    }

    private sealed class TwiceDevice : PciDevice
    {
        public TwiceDevice()
            : base(new PciId(1, 2), PciClass.Other)
        {
            EnableMigration();
            EnableMigration();
        }
    }
}
