using VfioUser.Protocol;
using VfioUser.Testing;
using static VfioUser.Protocol.MigrationState;

namespace VfioUser.Tests;

/// <summary>The stream is the device's, byte by byte; what may be done when is the library's.</summary>
public sealed class RawMigrationTests
{
    private static readonly byte[] Sent = [5, 1, 2, 3, 4, 5];

    [Theory]
    [InlineData(1, 1)]
    [InlineData(4, 3)]
    [InlineData(4096, 4096)]
    public void Stream_has_what_the_device_writes_and_nothing_else(int readSize, int piece)
    {
        RawDevice device = new() { Own = [1, 2, 3, 4, 5], Piece = piece };
        using var guest = TestGuest.Attach(device);
        guest.Client.GetMigrationDataSize().Should().Be(6);

        guest.Migration.SetState(StopCopy);

        guest.Migration.Read(readSize).Should().Equal(Sent);
        guest.Migration.SetState(Running);
        device.Diary.Where(entry => entry is not "Read").Should().Equal(
            "Running-Stop", "OnStopped", "Stop-StopCopy", "StopCopy-Stop", "Stop-Running", "OnStarted");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(4096)]
    public void Stream_is_passed_to_the_device_unchanged(int writeSize)
    {
        RawDevice device = new();
        using var guest = TestGuest.Attach(device);
        guest.Migration.SetState(Resuming);

        foreach (byte[] piece in Sent.Chunk(writeSize))
            guest.Migration.Write(piece);
        guest.Migration.SetState(Running);

        device.Own.Should().Equal(1, 2, 3, 4, 5);
        device.Diary.Where(entry => entry is not "Write").Should().Equal(
            "Running-Stop", "OnStopped", "Stop-Resuming", "Resuming-Stop", "OnRestored", "Stop-Running", "OnStarted");
    }

    [Fact]
    public void Save_continues_from_pre_copy_to_stop_copy()
    {
        RawDevice device = new() { Own = [1, 2, 3, 4, 5], Piece = 2 };
        using var guest = TestGuest.Attach(device);
        guest.Migration.SetState(PreCopy);
        byte[] running = new byte[4];
        guest.Client.ReadMigrationData(running).Should().Be(4);

        guest.Migration.SetState(StopCopy);

        running.Concat(guest.Migration.Read(100)).Should().Equal(Sent);
        device.Diary.Where(entry => entry is not "Read").Should().Equal("Running-PreCopy", "PreCopy-StopCopy", "OnStopped");
    }

    [Fact]
    public void Reset_in_pre_copy_keeps_the_state_and_the_next_read_is_the_devices()
    {
        RawDevice device = new() { Own = [1] };
        using var guest = TestGuest.Attach(device);
        guest.Migration.SetState(PreCopy);

        guest.Reset();

        guest.Migration.GetState().Should().Be(PreCopy);
        guest.Migration.Read(100).Should().Equal(1, 1);
        device.Diary.Should().Equal("Running-PreCopy", "OnReset", "Read", "Read");
    }

    [Fact]
    public void An_invalid_stream_is_refused_and_leaves_the_device_in_error_until_a_reset()
    {
        RawDevice device = new();
        using var guest = TestGuest.Attach(device);
        guest.Migration.SetState(Resuming);
        guest.Migration.Write(Sent.AsSpan(0, 4));

        guest.Client.TrySetState(Running).Should().Be(Errno.EINVAL);

        guest.Migration.GetState().Should().Be(Error);
        guest.Reset();
        guest.Migration.GetState().Should().Be(Running);
        device.Diary.Should().EndWith(["OnReset", "Error-Running", "OnStarted"]).And.NotContain("OnRestored");
        device.Own.Should().BeEmpty();
    }

    [Fact]
    public void Restore_without_a_byte_is_for_the_device_to_judge_and_changes_nothing()
    {
        RawDevice device = new();
        using var guest = TestGuest.Attach(device);
        guest.Migration.SetState(Resuming);

        guest.Client.TrySetState(Stop).Should().Be(Errno.EINVAL);

        guest.Migration.GetState().Should().Be(Resuming);
    }

    [Fact]
    public void Bytes_that_are_refused_are_never_completed()
    {
        RawDevice device = new() { Throws = { ["Write"] = new InvalidDataException("not mine") } };
        using var guest = TestGuest.Attach(device);
        guest.Migration.SetState(Resuming);
        Write(guest, 1).Should().Be(Errno.EINVAL);
        device.Throws.Clear();

        Write(guest, 0).Should().Be(Errno.EINVAL);

        device.Diary.Count(entry => entry is "Write").Should().Be(1, "the stream has a hole");
        guest.Client.TrySetState(Running).Should().Be(Errno.EINVAL);
        guest.Migration.GetState().Should().Be(Error);
        device.Diary.Should().NotContain("Resuming-Stop");
    }

    [Fact]
    public void Exception_for_bytes_is_of_the_device_and_the_stream_has_a_hole()
    {
        RawDevice device = new() { Throws = { ["Write"] = new IOException("no disk") } };
        using var guest = Attach(device);
        guest.Migration.SetState(Resuming);

        Write(guest, 0).Should().Be(Errno.EIO);

        device.Throws.Clear();
        Write(guest, 0).Should().Be(Errno.EINVAL);
        guest.Client.TrySetState(Running).Should().Be(Errno.EINVAL);
    }

    [Theory]
    [InlineData("Running-Stop", Running)]
    [InlineData("Stop-StopCopy", Stop)]
    public void State_does_not_change_if_the_device_throws(string step, MigrationState stays)
    {
        RawDevice device = new() { Throws = { [step] = new IOException("not now") } };
        using var guest = Attach(device);

        guest.Client.TrySetState(StopCopy).Should().Be(Errno.EIO);

        guest.Migration.GetState().Should().Be(stays);
        device.Throws.Clear();
        guest.Migration.SetState(StopCopy);
    }

    [Fact]
    public void Device_chooses_the_error_of_a_state_that_it_refuses()
    {
        RawDevice device = new() { Throws = { ["Running-Stop"] = new DeviceErrnoException(Errno.EAGAIN) } };
        using var guest = TestGuest.Attach(device);

        guest.Client.TrySetState(Stop).Should().Be(Errno.EAGAIN);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(101)]
    [InlineData(int.MaxValue)]
    public void Count_that_is_none_ends_the_save(int count)
    {
        RawDevice device = new() { Claimed = count };
        using var guest = Attach(device);
        guest.Migration.SetState(StopCopy);

        Read(guest).Should().Be(Errno.EIO);

        device.Claimed = null;
        Read(guest).Should().Be(Errno.EIO, "bytes are lost");
        guest.Migration.SetState(Stop);
        guest.Migration.SetState(StopCopy);
        Read(guest).Should().Be(Errno.None, "it is another save");
    }

    [Fact]
    public void Stopped_device_is_not_written_and_data_has_its_states()
    {
        RawDevice device = new();
        using var guest = TestGuest.Attach(device);
        Read(guest).Should().Be(Errno.EINVAL);
        Write(guest, 0).Should().Be(Errno.EINVAL);

        guest.Migration.SetState(Stop);

        guest.Client.Try(Command.RegionWrite, [.. new byte[8], .. BitConverter.GetBytes(0u), .. BitConverter.GetBytes(4u), 1, 2, 3, 4])
            .Errno.Should().Be(Errno.EINVAL);
        device.Value.Value.Should().Be(0);
        device.Diary.Should().Equal("Running-Stop", "OnStopped");
    }

    [Fact]
    public void Next_client_finds_a_running_device()
    {
        RawDevice device = new();
        using (var first = TestGuest.Attach(device))
            first.Migration.SetState(Stop);
        device.Diary.Clear();

        using var next = TestGuest.Attach(device);

        next.Migration.GetState().Should().Be(Running);
        device.Diary.Should().Equal("Stop-Running", "OnStarted");
    }

    [Fact]
    public void Without_pre_copy_there_is_none()
    {
        RawDevice device = new(preCopy: false);
        using var guest = TestGuest.Attach(device);

        guest.Client.TrySetState(PreCopy).Should().Be(Errno.EINVAL);

        device.Diary.Should().BeEmpty();
    }

    [Fact]
    public void Migration_is_enabled_once()
    {
        Action twice = () => _ = new EnabledTwice();

        twice.Should().Throw<InvalidOperationException>().WithMessage("*enabled already*");
    }

    // a test that makes the device throw expects it
    private static TestGuest Attach(RawDevice device) => TestGuest.Attach(device, new TestGuestOptions { FailOnDeviceException = false });

    private static Errno Read(TestGuest guest) => guest.Client.Try(Command.MigDataRead, ClientFeatures.MigrationData(108, 100)).Errno;

    private static Errno Write(TestGuest guest, byte data) => guest.Client.Try(Command.MigDataWrite, ClientFeatures.MigrationData(9, 1, data)).Errno;

    private sealed class EnabledTwice : PciDevice, IRawMigration
    {
        public EnabledTwice()
            : base(new PciId(1, 2), PciClass.Other)
        {
            EnableMigration();
            EnableRawMigration(this);
        }

        public void OnState(MigrationState oldState, MigrationState newState)
        {
        }

        public int Read(Span<byte> destination) => 0;

        public void Write(ReadOnlySpan<byte> source)
        {
        }
    }
}
