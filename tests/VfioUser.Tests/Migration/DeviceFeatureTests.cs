using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests;

public class DeviceFeatureTests
{
    private const uint Get = 1 << 16;
    private const uint Set = 1 << 17;
    private const uint Probe = 1 << 18;

    [Theory]
    [InlineData(1, Get, true)]
    [InlineData(1, Set, false)]
    [InlineData(1, Get | Set, false)]
    [InlineData(2, Get | Set, true)]
    [InlineData(6, Set, true)]
    [InlineData(6, Get, false)]
    [InlineData(7, Set, true)]
    [InlineData(7, Get, false)]
    [InlineData(8, Get, true)]
    [InlineData(8, Set, false)]
    [InlineData(0, 0u, false)]
    [InlineData(3, 0u, false)]
    [InlineData(9, Get, true)]
    [InlineData(9, Set, false)]
    [InlineData(10, 0u, false)]
    [InlineData(0xFFFF, 0u, false)]
    public void Probe_answers_with_the_request_when_all_methods_are_there(uint feature, uint methods, bool supported)
    {
        using var guest = TestGuest.Attach(new MovingDevice());
        uint flags = feature | methods | Probe;

        (Errno errno, byte[] payload) = guest.Client.Feature(8, flags);

        errno.Should().Be(supported ? Errno.None : Errno.EINVAL);
        payload.Should().Equal(supported ? [8, 0, 0, 0, .. BitConverter.GetBytes(flags)] : []);
    }

    [Fact]
    public void A_device_without_migration_has_no_feature_and_no_data()
    {
        using var guest = TestGuest.Attach(new PlainDevice(migration: false));

        foreach (uint feature in new uint[] { 1, 2, 6, 7, 8, 9 })
        {
            guest.Client.Feature(8, feature | Probe).Errno.Should().Be(Errno.EINVAL);
            guest.Client.Feature(64, feature | Get, new byte[24]).Errno.Should().Be(Errno.EINVAL);
            guest.Client.Feature(64, feature | Set, new byte[24]).Errno.Should().Be(Errno.EINVAL);
        }
        guest.Client.Try(Command.MigDataRead, ClientFeatures.MigrationData(12, 4)).Errno.Should().Be(Errno.EINVAL);
        guest.Client.Try(Command.MigDataWrite, ClientFeatures.MigrationData(12, 4, 1, 2, 3, 4)).Errno.Should().Be(Errno.EINVAL);
        guest.Migration.GetFlags().Should().Be(MigrationFlags.None);
    }

    [Fact]
    public void Get_migration_has_the_flags_stop_copy_and_pre_copy()
    {
        using var guest = TestGuest.Attach(new MovingDevice());

        (Errno errno, byte[] payload) = guest.Client.Feature(100, 1 | Get);

        errno.Should().Be(Errno.None);
        payload.Should().Equal(16, 0, 0, 0, 1, 0, 1, 0, 5, 0, 0, 0, 0, 0, 0, 0);
    }

    [Theory]
    [InlineData(8u, 1 | Get, 0)]            // no room for the flags
    [InlineData(15u, 2 | Get, 0)]           // one byte short for the state
    [InlineData(2u, 1 | Probe, 0)]
    [InlineData(8u, 2 | Set, 8)]            // no room for the request sent back
    [InlineData(16u, 2 | Set, 7)]           // a byte of the state is missing
    [InlineData(16u, 2 | Set, 0)]
    [InlineData(16u, 1 | Set, 8)]           // cannot be set
    [InlineData(16u, 2 | Get | Set, 8)]     // both
    [InlineData(16u, 2, 8)]                 // neither
    [InlineData(16u, 2 | Get | (1u << 19), 0)]
    [InlineData(16u, 2 | Get | (1u << 31), 0)]
    [InlineData(1000u, 6 | Set, 15)]
    [InlineData(1000u, 8 | Get, 23)]
    [InlineData(15u, 9 | Get, 0)]
    [InlineData(16u, 9 | Set, 8)]
    public void A_request_that_is_not_valid_is_refused(uint argsz, uint flags, int dataLength)
    {
        using var guest = TestGuest.Attach(new MovingDevice());
        byte[] data = new byte[dataLength];
        if (dataLength > 0)
            data[0] = (byte)MigrationState.Stop;

        guest.Client.Feature(argsz, flags, data).Errno.Should().Be(Errno.EINVAL);
        guest.Migration.GetState().Should().Be(MigrationState.Running);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(4)]
    [InlineData(7)]
    public void A_message_shorter_than_its_head_is_refused(int length)
    {
        using var guest = TestGuest.Attach(new MovingDevice());

        guest.Client.Try(Command.DeviceFeature, new byte[length]).Errno.Should().Be(Errno.EINVAL);
        guest.Client.Try(Command.MigDataRead, new byte[length]).Errno.Should().Be(Errno.EINVAL);
        guest.Client.Try(Command.MigDataWrite, new byte[length]).Errno.Should().Be(Errno.EINVAL);
    }

    [Fact]
    public void Noise_in_every_state_is_answered_and_the_session_lives()
    {
        Random random = new(20);
        MovingDevice device = new() { Own = new byte[1000] };
        using var guest = TestGuest.Attach(device);
        Command[] commands = [Command.DeviceFeature, Command.MigDataRead, Command.MigDataWrite, Command.DmaUnmap];
        uint[] features = [0, 1, 2, 3, 6, 7, 8, 9];

        for (int i = 0; i < 20_000; i++)
        {
            if (i % 50 == 0)
            {
                guest.Reset();
                guest.Client.TrySetState((MigrationState)(i / 50 % 8));
            }
            byte[] request = new byte[random.Next(0, 64)];
            random.NextBytes(request);
            for (int at = 0; at + 4 <= request.Length; at += 4)
            {
                // small numbers lead further than large ones
                if (random.Next(3) > 0)
                    BitConverter.TryWriteBytes(request.AsSpan(at), (uint)random.Next(0, 80) << (12 * random.Next(0, 2)));
            }
            Command command = commands[random.Next(commands.Length)];
            if (command == Command.DeviceFeature && request.Length >= 8 && random.Next(4) > 0)
                BitConverter.TryWriteBytes(request.AsSpan(4), features[random.Next(features.Length)] | (uint)random.Next(8) << 16);
            guest.Client.Try(command, request);
        }

        guest.Reset();
        guest.Migration.SetState(MigrationState.Running); // a reset in pre-copy leaves it there
        guest.Bar0.Read<uint>(0).Should().Be(0);
    }
}
