using System.Security.Cryptography;
using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Testing;
using static VfioUser.Protocol.MigrationState;

namespace VfioUser.Tests;

/// <summary>
/// A guest that reboots during pre-copy still moves. QEMU resets the device then and believes it in PRE_COPY as before; it
/// resets it, too, when a change of the state has failed, and then believes it in RUNNING.
/// </summary>
public class ResetInPreCopyTests
{
    [Theory]
    [InlineData(0)] // nothing was read yet
    [InlineData(10)] // in the middle of the head
    [InlineData(20)] // in the head of a record
    [InlineData(1000)] // in the middle of a record
    [InlineData(70_000)] // in the second one
    [InlineData(200_000)] // all that there was
    public void A_device_that_is_reset_in_pre_copy_is_restored_to_its_state_when_stopped(int readBefore)
    {
        MovingDevice source = new() { Own = RandomNumberGenerator.GetBytes(300_000) };
        List<byte> stream = [];
        using (var guest = TestGuest.Attach(source))
        {
            guest.Bar0.Write(0, 1u);
            guest.Migration.SetState(PreCopy);
            byte[] before = new byte[readBefore];
            stream.AddRange(before.AsSpan(0, guest.Client.ReadMigrationData(before)));

            guest.Reset();
            guest.Migration.GetState().Should().Be(PreCopy);
            source.Own = RandomNumberGenerator.GetBytes(1234);
            stream.AddRange(guest.Migration.Read(1000));
            guest.Bar0.Write(0, 2u);

            guest.Migration.SetState(StopCopy);
            stream.AddRange(guest.Migration.Read(1000));
        }
        MovingDevice target = new();

        Restored(target, [.. stream]).Should().Be(Errno.None);

        target.Own.Should().Equal(source.Own);
        target.Counter.Value.Should().Be(2);
    }

    [Fact]
    public void Several_resets_are_no_more_than_one()
    {
        MovingDevice source = new() { Own = new byte[100] };
        List<byte> stream = [];
        using (var guest = TestGuest.Attach(source))
        {
            guest.Migration.SetState(PreCopy);
            for (byte i = 0; i < 5; i++)
            {
                source.Own = [.. Enumerable.Repeat(i, 100 + i)];
                stream.AddRange(guest.Migration.Read(30));
                guest.Reset();
                guest.Reset();
            }
            guest.Migration.SetState(StopCopy);
            stream.AddRange(guest.Migration.Read(30));
        }
        MovingDevice target = new();

        Restored(target, [.. stream]).Should().Be(Errno.None);

        target.Own.Should().Equal(Enumerable.Repeat((byte)4, 104));
    }

    [Fact]
    public void The_device_ends_one_save_and_begins_another()
    {
        MovingDevice device = new();
        using var guest = TestGuest.Attach(device);
        guest.Migration.SetState(PreCopy);
        device.Diary.Clear();

        guest.Reset();

        device.Diary.Should().Equal("OnReset", "EndSave", "BeginSave");
    }

    [Fact]
    public void A_reset_after_a_step_that_failed_leads_to_running()
    {
        MovingDevice device = new();
        using var guest = TestGuest.Attach(device);
        guest.Migration.SetState(PreCopy);
        device.Throws["OnStopped"] = new InvalidOperationException("on purpose");
        guest.Client.TrySetState(StopCopy).Should().Be(Errno.EIO);
        guest.Migration.GetState().Should().Be(PreCopy);
        guest.AcceptDeviceExceptions().Should().ContainSingle();
        device.Throws.Clear();

        guest.Reset();

        guest.Migration.GetState().Should().Be(Running);
    }

    [Fact]
    public void A_save_that_is_broken_ends_with_a_reset()
    {
        MovingDevice device = new() { Own = new byte[100] };
        using var guest = TestGuest.Attach(device);
        guest.Migration.SetState(PreCopy);
        device.Throws["Save"] = new InvalidOperationException("on purpose");
        guest.Client.Try(Command.MigDataRead, ClientFeatures.MigrationData(108, 100)).Errno.Should().Be(Errno.EIO);
        guest.AcceptDeviceExceptions().Should().ContainSingle();
        device.Throws.Clear();

        guest.Reset();

        guest.Migration.GetState().Should().Be(Running);
    }

    [Fact]
    public void A_device_that_cannot_begin_again_fails_the_reset_and_the_save()
    {
        MovingDevice device = new() { Own = new byte[100] };
        using var guest = TestGuest.Attach(device);
        guest.Migration.SetState(PreCopy);
        guest.Migration.Read(100);
        device.Throws["BeginSave"] = new InvalidOperationException("on purpose");

        guest.Invoking(g => g.Reset()).Should().Throw<VfioUserException>().Which.Errno.Should().Be(Errno.EIO);
        device.Throws.Clear();

        guest.Client.Try(Command.MigDataRead, ClientFeatures.MigrationData(108, 100)).Errno.Should().Be(Errno.EIO);
        guest.Reset();
        guest.Migration.GetState().Should().Be(Running);
    }

    [Fact]
    public void The_next_client_finds_a_running_device()
    {
        MovingDevice device = new();
        using (var first = TestGuest.Attach(device))
            first.Migration.SetState(PreCopy);

        using var second = TestGuest.Attach(device);

        second.Migration.GetState().Should().Be(Running);
    }

    [Theory]
    [InlineData(6u, 1u)] // with bytes
    [InlineData(6u, uint.MaxValue)]
    [InlineData(7u, 0u)] // not known
    public void A_record_that_begins_again_wrongly_is_refused(uint kind, uint length)
    {
        using var guest = TestGuest.Attach(new MovingDevice());
        guest.Migration.SetState(Resuming);

        guest.Invoking(g => g.Migration.Write([.. Head(new MovingDevice()), .. Record(kind, length), 0])).Should().Throw<VfioUserException>();

        guest.Client.TrySetState(Stop).Should().Be(Errno.EINVAL);
        guest.Migration.GetState().Should().Be(Error);
    }

    [Fact]
    public void Only_a_device_with_a_state_of_its_own_can_begin_again()
    {
        using var guest = TestGuest.Attach(new PlainDevice());
        guest.Migration.SetState(Resuming);

        guest.Invoking(g => g.Migration.Write([.. Head(new PlainDevice()), .. Record(6, 0)])).Should().Throw<VfioUserException>();
    }

    [Fact]
    public void The_last_start_of_a_repeated_stream_is_restored()
    {
        MovingDevice target = new();
        using var guest = TestGuest.Attach(target);
        guest.Migration.SetState(Resuming);
        guest.Migration.Write(Head(new MovingDevice()));

        for (int i = 0; i < 1000; i++)
            guest.Migration.Write([.. Record(1, 3), 1, 2, 3, .. Record(6, 0)]);
        target.Own.Should().BeEmpty();
        guest.Client.TrySetState(Stop).Should().Be(Errno.EINVAL, "it has no end");
    }

    private static byte[] Head(PciDevice device)
    {
        byte[] head = new byte[MigrationHeader.WireSize];
        WireFormat.Write(head, MigrationStream.HeaderOf(device));
        return head;
    }

    private static byte[] Record(uint kind, uint length) => [.. BitConverter.GetBytes(kind), .. BitConverter.GetBytes(length)];

    private static Errno Restored(PciDevice device, byte[] stream)
    {
        using var guest = TestGuest.Attach(device);
        try
        {
            guest.Migration.Restore(stream);
            return Errno.None;
        }
        catch (VfioUserException e)
        {
            return e.Errno;
        }
    }
}
