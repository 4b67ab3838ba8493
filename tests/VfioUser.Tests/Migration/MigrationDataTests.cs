using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Testing;
using static VfioUser.Protocol.MigrationState;

namespace VfioUser.Tests;

public class MigrationDataTests
{
    private static readonly MigrationState[] States = [Running, PreCopy, StopCopy, Stop, Resuming];

    [Fact]
    public void Data_is_read_in_the_saving_group_only()
    {
        using var guest = TestGuest.Attach(new MovingDevice());
        foreach (MigrationState state in States)
        {
            guest.Migration.SetState(state);

            (Errno errno, byte[] payload) = guest.Client.Try(Command.MigDataRead, ClientFeatures.MigrationData(12, 4));

            errno.Should().Be(state is PreCopy or StopCopy ? Errno.None : Errno.EINVAL, "{0}", state);
            if (errno == Errno.None && state == PreCopy)
                payload.Should().Equal([12, 0, 0, 0, 4, 0, 0, 0, .. "VFUM"u8]);
        }
    }

    [Fact]
    public void Data_is_written_in_resuming_only()
    {
        using var guest = TestGuest.Attach(new MovingDevice());
        foreach (MigrationState state in States)
        {
            guest.Migration.SetState(state);

            guest.Client.Try(Command.MigDataWrite, ClientFeatures.MigrationData(12, 4, [.. "VFUM"u8])).Errno
                .Should().Be(state == Resuming ? Errno.None : Errno.EINVAL, "{0}", state);
        }
    }

    [Theory]
    [InlineData(12u, 5u)]
    [InlineData(0u, 0u)]
    [InlineData(7u, 0u)]
    [InlineData(uint.MaxValue, uint.MaxValue)]
    [InlineData(uint.MaxValue, (1u << 20) + 1)]
    [InlineData(3u, uint.MaxValue - 4)]
    public void A_read_that_does_not_fit_is_refused(uint argsz, uint size)
    {
        using var guest = TestGuest.Attach(new MovingDevice());
        guest.Migration.SetState(StopCopy);

        guest.Client.Try(Command.MigDataRead, ClientFeatures.MigrationData(argsz, size)).Errno.Should().Be(Errno.EINVAL);
    }

    [Theory]
    [InlineData(12u, 4u, 3)]
    [InlineData(12u, 4u, 5)]
    [InlineData(11u, 4u, 4)]
    [InlineData(8u, 0u, 1)]
    [InlineData(uint.MaxValue, uint.MaxValue, 4)]
    public void A_write_with_another_size_than_its_field_is_refused(uint argsz, uint size, int length)
    {
        using var guest = TestGuest.Attach(new MovingDevice());
        guest.Migration.SetState(Resuming);

        guest.Client.Try(Command.MigDataWrite, ClientFeatures.MigrationData(argsz, size, new byte[length])).Errno.Should().Be(Errno.EINVAL);
        guest.Client.TrySetState(Stop).Should().Be(Errno.None, "nothing was taken of it");
    }

    [Fact]
    public void The_clients_own_limit_holds_in_both_directions()
    {
        var (server, end) = Protocol.Interop.SocketCalls.CreatePair();
        using VfioUserServer serving = VfioUserServer.FromConnected(server);
        Task run = serving.RunAsync(new MovingDevice());
        using VfioUserClient client = VfioUserClient.FromConnected(end, new VfioUserClientOptions
        {
            Capabilities = Capabilities.ClientDefaults with { MaxDataTransferSize = 4 },
        });

        client.SetMigrationState(PreCopy);
        client.Try(Command.MigDataRead, ClientFeatures.MigrationData(13, 5)).Errno.Should().Be(Errno.EINVAL);
        client.Try(Command.MigDataRead, ClientFeatures.MigrationData(12, 4)).Errno.Should().Be(Errno.None);
        client.SetMigrationState(Resuming);
        client.Try(Command.MigDataWrite, ClientFeatures.MigrationData(13, 5, new byte[5])).Errno.Should().Be(Errno.EINVAL);
        client.Try(Command.MigDataWrite, ClientFeatures.MigrationData(12, 4, [.. "VFUM"u8])).Errno.Should().Be(Errno.None);
    }

    [Fact]
    public void A_device_that_throws_while_it_saves_fails_the_read_and_every_later_one_of_that_save()
    {
        MovingDevice device = new();
        List<string> told = [];
        using var guest = TestGuest.Attach(device, new TestGuestOptions { Server = new VfioUserServerOptions { OnDeviceException = context => told.Add(context.Exception.Message) } });
        guest.Migration.SetState(StopCopy);
        device.Throws["Save"] = new InvalidOperationException("on purpose");

        guest.Client.Try(Command.MigDataRead, ClientFeatures.MigrationData(1008, 1000)).Errno.Should().Be(Errno.EIO);
        device.Throws.Clear();
        guest.Client.Try(Command.MigDataRead, ClientFeatures.MigrationData(1008, 1000)).Errno.Should().Be(Errno.EIO);

        guest.Migration.SetState(Stop);
        guest.Migration.SetState(StopCopy);
        guest.Migration.Read(1000).Should().NotBeEmpty();
        told.Should().Equal(["on purpose"], "the device is asked no more, so nobody is told more");
    }

    [Fact]
    public void A_save_whose_end_failed_has_nothing_more_to_read()
    {
        MovingDevice device = new();
        List<string> told = [];
        using var guest = TestGuest.Attach(device, new TestGuestOptions { Server = new VfioUserServerOptions { OnDeviceException = context => told.Add(context.Exception.Message) } });
        guest.Migration.SetState(StopCopy);
        device.Throws["EndSave"] = new InvalidOperationException("on purpose");
        guest.Client.TrySetState(Stop).Should().Be(Errno.EIO);

        guest.Client.Try(Command.MigDataRead, ClientFeatures.MigrationData(1008, 1000)).Errno.Should().Be(Errno.EIO);

        told.Should().Equal(["on purpose"], "that the client reads on is no failure of the device");
        guest.Client.TrySetState(Stop).Should().Be(Errno.None);
    }

    [Fact]
    public void A_reply_has_the_requested_length_and_the_number_of_valid_bytes()
    {
        using var guest = TestGuest.Attach(new PlainDevice());
        guest.Migration.SetState(StopCopy);
        byte[] all = guest.Migration.Read(100);
        guest.Migration.SetState(Stop);
        guest.Migration.SetState(StopCopy);
        uint asked = (uint)all.Length + 1000;

        (Errno errno, byte[] first) = guest.Client.Try(Command.MigDataRead, ClientFeatures.MigrationData(8 + asked, asked));
        (_, byte[] atTheEnd) = guest.Client.Try(Command.MigDataRead, ClientFeatures.MigrationData(108, 100));

        errno.Should().Be(Errno.None);
        first.Length.Should().Be(8 + (int)asked, "libvfio-user's client waits for all of it");
        WireFormat.Read<MigrationData>(first).Should().Be(new MigrationData(8 + (uint)all.Length, (uint)all.Length));
        first.AsSpan(8, all.Length).SequenceEqual(all).Should().BeTrue();
        first.AsSpan(8 + all.Length).ContainsAnyExcept((byte)0).Should().BeFalse("nothing of another buffer shows");
        atTheEnd.Should().Equal([8, 0, 0, 0, 0, 0, 0, 0, .. new byte[100]]);
    }

    [Fact]
    public void A_read_of_nothing_is_answered_with_nothing()
    {
        using var guest = TestGuest.Attach(new MovingDevice());
        guest.Migration.SetState(StopCopy);

        guest.Client.Try(Command.MigDataRead, ClientFeatures.MigrationData(8, 0)).Payload.Should().Equal(8, 0, 0, 0, 0, 0, 0, 0);
    }
}
