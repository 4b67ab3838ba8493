using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Testing;
using static VfioUser.Protocol.MigrationState;

namespace VfioUser.Tests;

/// <summary>How much there is to move: QEMU takes 100 GiB for what it is not told.</summary>
public class MigrationSizeTests
{
    private static readonly VfioUserServerOptions WithPreCopyInfo = new() { PreCopyInfo = true };

    [Fact]
    public void Size_of_the_librarys_state_is_exact()
    {
        using var guest = TestGuest.Attach(new PlainDevice());
        ulong said = guest.Client.GetMigrationDataSize();

        guest.Migration.SetState(StopCopy);

        ((ulong)guest.Migration.Read(1000).Length).Should().Be(said);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(65536)]
    [InlineData(65537)]
    [InlineData(1_000_000)]
    public void Size_includes_the_devices_estimate(int own)
    {
        MovingDevice device = new() { Own = new byte[own] };
        using var guest = TestGuest.Attach(device);
        ulong said = guest.Client.GetMigrationDataSize();

        guest.Migration.SetState(StopCopy);

        ((ulong)guest.Migration.Read(1 << 20).Length).Should().Be(said);
    }

    [Theory]
    [InlineData(Running)]
    [InlineData(PreCopy)]
    [InlineData(Stop)]
    [InlineData(StopCopy)]
    [InlineData(Resuming)]
    [InlineData(Error)]
    public void The_size_can_be_requested_in_every_state(MigrationState state)
    {
        using var guest = TestGuest.Attach(new MovingDevice());
        guest.BringTo(state);

        guest.Client.GetMigrationDataSize().Should().BeInRange(0x2000, 0x4000, "of shared memory and a few registers");
    }

    [Fact]
    public void Default_estimate_is_the_limit_of_a_state_saved_as_a_whole()
    {
        using var guest = TestGuest.Attach(new SilentDevice());

        guest.Client.GetMigrationDataSize().Should().BeInRange(PciDevice.DefaultMaxStateSize, PciDevice.DefaultMaxStateSize + 0x4000);
    }

    [Fact]
    public void A_state_in_one_piece_is_taken_to_be_as_long_as_the_last_one_was()
    {
        using var guest = TestGuest.Attach(new PieceDevice());
        guest.Client.GetMigrationDataSize().Should().BeInRange(100_000, 110_000, "which is what it may have");

        guest.Migration.SetState(StopCopy);
        int length = guest.Migration.Read(1000).Length;
        guest.Migration.SetState(Running);

        guest.Client.GetMigrationDataSize().Should().Be((ulong)length);
    }

    [Fact]
    public void Numbers_that_make_no_sense_do_no_harm()
    {
        MovingDevice device = new();
        using var guest = TestGuest.Attach(device, new TestGuestOptions { Server = WithPreCopyInfo });
        guest.Migration.SetState(PreCopy);

        device.Estimated = new MigrationEstimate(-1, -1);
        guest.Client.GetMigrationDataSize().Should().BeLessThan(0x4000);
        guest.Client.GetPreCopyInfo().InitialBytes.Should().Be(0);
        device.Estimated = new MigrationEstimate(0, long.MaxValue);
        guest.Client.GetPreCopyInfo().InitialBytes.Should().Be(0);
        device.Estimated = new MigrationEstimate(long.MaxValue, long.MaxValue);
        guest.Client.GetMigrationDataSize().Should().BeGreaterThan(long.MaxValue);
    }

    [Fact]
    public void Pre_copy_information_is_served_only_where_the_options_say_so()
    {
        using var guest = TestGuest.Attach(new MovingDevice());
        guest.Migration.SetState(PreCopy);

        guest.Client.Invoking(client => client.GetPreCopyInfo()).Should().Throw<VfioUserException>().Which.Errno.Should().Be(Errno.EINVAL);
    }

    [Fact]
    public void The_pre_copy_size_is_that_of_remaining_and_changed_data()
    {
        MovingDevice device = new() { Own = new byte[200_000] };
        using var guest = TestGuest.Attach(device, new TestGuestOptions { Server = WithPreCopyInfo });
        guest.Migration.SetState(PreCopy);

        PreCopyInfo begin = guest.Client.GetPreCopyInfo();
        guest.Client.ReadMigrationData(new byte[40_000]);
        PreCopyInfo middle = guest.Client.GetPreCopyInfo();
        guest.Migration.Read(100_000);
        PreCopyInfo drained = guest.Client.GetPreCopyInfo();
        device.Own = new byte[400_000]; // half of which it gives while it runs
        PreCopyInfo dirty = guest.Client.GetPreCopyInfo();

        begin.Should().Be(new PreCopyInfo(24, 0, 100_000 + 2 * 8, 0));
        middle.InitialBytes.Should().BeInRange(60_000, 60_100);
        middle.DirtyBytes.Should().Be(0);
        drained.Should().Be(new PreCopyInfo(24, 0, 0, 0));
        dirty.InitialBytes.Should().Be(0);
        dirty.DirtyBytes.Should().BeInRange(100_000, 100_100);
    }

    [Fact]
    public void A_reset_begins_the_pre_copy_size_again()
    {
        MovingDevice device = new() { Own = new byte[200_000] };
        using var guest = TestGuest.Attach(device, new TestGuestOptions { Server = WithPreCopyInfo });
        guest.Migration.SetState(PreCopy);
        guest.Migration.Read(100_000);

        guest.Reset();

        guest.Client.GetPreCopyInfo().InitialBytes.Should().BeInRange(100_000, 100_100);
    }

    [Theory]
    [InlineData(Running)]
    [InlineData(Stop)]
    [InlineData(StopCopy)]
    [InlineData(Resuming)]
    [InlineData(Error)]
    public void Outside_of_pre_copy_there_is_none(MigrationState state)
    {
        using var guest = TestGuest.Attach(new MovingDevice(), new TestGuestOptions { Server = WithPreCopyInfo });
        guest.BringTo(state);

        guest.Client.Invoking(client => client.GetPreCopyInfo()).Should().Throw<VfioUserException>().Which.Errno.Should().Be(Errno.EINVAL);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(23)]
    public void A_request_that_is_too_short_is_refused(int length)
    {
        using var guest = TestGuest.Attach(new MovingDevice(), new TestGuestOptions { Server = WithPreCopyInfo });
        guest.Migration.SetState(PreCopy);

        guest.Client.Try(PreCopyInfo.Command, new byte[length]).Errno.Should().Be(Errno.EINVAL);
        guest.Client.Try(PreCopyInfo.Command, new byte[24]).Errno.Should().Be(Errno.EINVAL, "argsz has no room for the reply");
        guest.Client.Try(PreCopyInfo.Command, [24, .. new byte[23]]).Payload.Should().HaveCount(24);
    }

    private sealed class SilentDevice : PciDevice, IMigrationState
    {
        public SilentDevice()
            : base(new PciId(1, 2), PciClass.Other) => EnableMigration(this);

        public void BeginSave()
        {
        }

        public int Save(Span<byte> destination, bool stopped) => 0;

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

    private sealed class PieceDevice : PciDevice
    {
        public PieceDevice()
            : base(new PciId(1, 2), PciClass.Other) => EnableMigration(writer => writer.Advance(Fill(writer.GetSpan(77))), _ => { }, maxSize: 100_000);

        private static int Fill(Span<byte> span)
        {
            span[..77].Fill(7);
            return 77;
        }
    }
}
