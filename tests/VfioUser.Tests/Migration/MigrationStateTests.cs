using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Testing;
using static VfioUser.Protocol.MigrationState;

namespace VfioUser.Tests;

public class MigrationStateTests
{
    [Fact]
    public void Every_transition_over_the_wire_is_granted_or_refused_as_the_ways_say()
    {
        MigrationState[] states = [Stop, Running, StopCopy, Resuming, PreCopy];
        using var guest = TestGuest.Attach(new MovingDevice());

        foreach (MigrationState from in states)
        {
            foreach (uint to in Enumerable.Range(0, 9).Append(0xABCD))
            {
                guest.Reset();
                guest.Migration.SetState(from);
                bool possible = StateTransitions.Path(from, (MigrationState)to, preCopy: true) is not null;

                guest.Client.TrySetState(to).Should().Be(possible ? Errno.None : Errno.EINVAL, "{0} to {1}", from, to);
                guest.Migration.GetState().Should().Be(possible ? (MigrationState)to : from);
            }
        }
    }

    [Fact]
    public void The_device_is_notified_of_each_transition()
    {
        MovingDevice device = new();
        using var guest = TestGuest.Attach(device);

        guest.Migration.SetState(PreCopy);
        guest.Migration.SetState(StopCopy);
        guest.Migration.SetState(Running);
        guest.Migration.SetState(Resuming);
        guest.Migration.SetState(Running);

        device.Diary.Should().Equal("BeginSave", "OnStopped", "EndSave", "OnStarted", "OnStopped", "OnStarted");
    }

    [Fact]
    public void Stop_copy_to_pre_copy_is_refused()
    {
        using var guest = TestGuest.Attach(new MovingDevice());
        guest.Migration.SetState(StopCopy);

        guest.Client.TrySetState(PreCopy).Should().Be(Errno.EINVAL);
        guest.Migration.GetState().Should().Be(StopCopy);
    }

    [Fact]
    public void Without_pre_copy_there_is_neither_the_flag_nor_the_state()
    {
        using var guest = TestGuest.Attach(new PlainDevice());

        guest.Migration.GetFlags().Should().Be(MigrationFlags.StopCopy);
        guest.Client.TrySetState(PreCopy).Should().Be(Errno.EINVAL);
        guest.Migration.GetState().Should().Be(Running);
    }

    [Theory]
    [InlineData("OnStopped", Running, Stop, Running)]
    [InlineData("BeginSave", Running, StopCopy, Stop)]
    [InlineData("BeginSave", Running, PreCopy, Running)]
    [InlineData("OnStarted", Stop, Running, Stop)]
    [InlineData("EndSave", StopCopy, Stop, StopCopy)]
    public void A_device_that_throws_fails_the_transition_and_keeps_its_state(string where, MigrationState from, MigrationState to, MigrationState stays)
    {
        MovingDevice device = new();
        using var guest = TestGuest.Attach(device);
        guest.Migration.SetState(from);
        device.Throws[where] = new InvalidOperationException("on purpose");

        guest.Client.TrySetState(to).Should().Be(Errno.EIO);
        guest.Migration.GetState().Should().Be(stays);
        guest.AcceptDeviceExceptions().Should().ContainSingle().Which.Exception.Message.Should().Be("on purpose");

        device.Throws.Clear();
        guest.Client.TrySetState(Running).Should().Be(Errno.None);
    }

    // reads and writes of a BAR, then of the configuration space
    [Theory]
    [InlineData(Running, true, true, true, true)]
    [InlineData(PreCopy, true, true, true, true)]
    [InlineData(Stop, true, false, true, true)]
    [InlineData(StopCopy, false, false, true, false)]
    [InlineData(Resuming, false, false, true, true)]
    [InlineData(Error, false, false, false, false)]
    public void Region_accesses_that_are_served_depend_on_the_state(MigrationState state, bool read, bool write, bool configRead, bool configWrite)
    {
        using var guest = TestGuest.Attach(new MovingDevice());
        guest.BringTo(state);

        Try(() => guest.Bar0.Read<uint>(0)).Should().Be(read);
        Try(() => guest.Bar0.Write(0, 1u)).Should().Be(write);
        Try(() => guest.Config.Read<uint>(0)).Should().Be(configRead);
        Try(() => guest.Config.Write(0x80, 1u)).Should().Be(configWrite);
    }

    [Theory]
    [InlineData(Running)]
    [InlineData(PreCopy)]
    [InlineData(Stop)]
    [InlineData(StopCopy)]
    [InlineData(Resuming)]
    [InlineData(Error)]
    public void All_other_commands_are_served_in_every_state(MigrationState state)
    {
        MovingDevice device = new();
        using var guest = TestGuest.Attach(device);
        using EventFd eventFd = new();
        guest.BringTo(state);

        guest.Client.GetDeviceInfo();
        guest.Client.GetRegionInfo(0).Dispose();
        guest.Client.GetIrqInfo(0);
        guest.Client.SetIrqEventFds((uint)IrqType.MsiX, 0, eventFd.Handle);
        guest.Client.DisableIrqs(2);
        guest.Client.MapDma(0x10_0000, 0x1000);
        device.Mapped.Should().NotBeNull("memory is plugged into a machine that is paused");
        guest.Client.UnmapDma(0x10_0000, 0x1000);

        guest.Migration.GetState().Should().Be(state);
    }

    [Theory]
    [InlineData(Stop)]
    [InlineData(StopCopy)]
    [InlineData(Resuming)]
    public void An_interrupt_of_a_stopped_device_waits_until_it_runs(MigrationState state)
    {
        MovingDevice device = new();
        using var guest = TestGuest.Attach(device);
        guest.MsiX[1].Mask();
        device.Irqs[1].Trigger();
        guest.Migration.SetState(state);

        // the client unmasks, hands in another eventfd, and triggers one by itself: what is saved must not be delivered, too
        guest.MsiX[1].Unmask();
        device.Irqs[2].Trigger().Should().BeTrue();
        device.Pin.Assert();
        guest.Intx.Count.Should().Be(0);
        guest.MsiX[1].Count.Should().Be(0);
        guest.MsiX[2].Count.Should().Be(0);
        device.Irqs[1].IsPending.Should().BeTrue();

        guest.Migration.SetState(Running);

        guest.MsiX[1].WaitFor(1);
        guest.MsiX[2].WaitFor(1);
        guest.Intx.WaitFor(1);
    }

    [Fact]
    public void An_interrupt_that_the_device_wants_while_a_reset_starts_it_is_delivered()
    {
        MovingDevice device = new();
        using var guest = TestGuest.Attach(device);
        guest.Migration.SetState(Stop);
        device.WhenStarted = () => device.Irqs[0].Trigger();

        guest.Reset();

        guest.MsiX[0].WaitFor(1);
    }

    [Theory]
    [InlineData(Stop)]
    [InlineData(StopCopy)]
    [InlineData(Resuming)]
    [InlineData(Error)]
    public void A_reset_leads_back_to_running(MigrationState state)
    {
        MovingDevice device = new();
        using var guest = TestGuest.Attach(device);
        guest.BringTo(state);
        device.Diary.Clear();

        guest.Reset();

        guest.Migration.GetState().Should().Be(Running);
        device.Diary.Should().Contain("OnReset");
        device.Diary.Should().Contain("OnStarted");
        guest.Bar0.Read<uint>(0).Should().Be(0);
    }

    [Fact]
    public void The_next_client_finds_a_running_device()
    {
        MovingDevice device = new();
        using (var first = TestGuest.Attach(device))
        {
            first.Bar0.Write(0, 7u);
            first.Migration.SetState(StopCopy);
        }
        device.Diary[^1].Should().NotBe("OnStarted", "a device whose guest has moved away must not work on");

        using var second = TestGuest.Attach(device);

        second.Migration.GetState().Should().Be(Running);
        device.Diary[^1].Should().Be("OnStarted");
        second.Bar0.Read<uint>(0).Should().Be(7);
    }

    [Fact]
    public void The_next_client_finds_a_reset_device_when_a_restore_was_left_half_done()
    {
        MovingDevice device = new();
        using (var first = TestGuest.Attach(device))
        {
            first.Bar0.Write(0, 7u);
            first.Migration.SetState(Resuming);
            first.Migration.Write("VFUM"u8);
        }

        using var second = TestGuest.Attach(device);

        device.Diary.Should().EndWith(["OnReset", "OnStarted"]);
        second.Bar0.Read<uint>(0).Should().Be(0);
    }

    [Fact]
    public void Migration_is_negotiated_if_client_and_device_support_it()
    {
        MigrationCapability wanted = new() { PageSize = 65536, MaxBitmapSize = 256 << 20 };

        Negotiated(new PlainDevice(), wanted).Should().Be(new MigrationCapability { PageSize = 4096, MaxBitmapSize = 256 << 20 });
        Negotiated(new PlainDevice(migration: false), wanted).Should().BeNull();
        Negotiated(new PlainDevice(), null).Should().BeNull();

        static MigrationCapability? Negotiated(PciDevice device, MigrationCapability? migration)
        {
            var (server, client) = Protocol.Interop.SocketCalls.CreatePair();
            using VfioUserServer serving = VfioUserServer.FromConnected(server);
            Task run = serving.RunAsync(device);
            using (VfioUserClient connected = VfioUserClient.FromConnected(client, new VfioUserClientOptions
            {
                Capabilities = Capabilities.ClientDefaults with { Migration = migration },
            }))
            {
                return connected.ServerCapabilities.Migration;
            }
        }
    }

    private static bool Try(Action action)
    {
        try
        {
            action();
            return true;
        }
        catch (VfioUserException e) when (e.Errno == Errno.EINVAL)
        {
            return false;
        }
    }
}
