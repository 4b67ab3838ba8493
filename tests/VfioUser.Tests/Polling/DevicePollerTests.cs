using VfioUser.Protocol;
using VfioUser.Protocol.Interop;
using VfioUser.Tests.Serving;

namespace VfioUser.Tests.Polling;

/// <summary>From one client to the next, step by step on the thread of the test: what waits hangs it.</summary>
public sealed class DevicePollerTests
{
    private static byte[] Read(ushort id) => RawClient.Message(id, Command.RegionRead, new RegionAccess(0, ProbeDevice.Plain, 4));

    [Fact]
    public void Without_a_client_there_is_nothing_to_do()
    {
        using PollerRig rig = new();

        rig.IsReady.Should().BeFalse();
        rig.Poller.Process().Should().Be(new PollResult(PollEvents.None, 0));
        rig.Poller.State.Should().Be(ServingState.Listening);
        rig.Poller.Peer.Should().BeNull();
        rig.IsReady.Should().BeFalse();
    }

    [Fact]
    public void A_client_attaches_is_served_and_disconnects_and_the_next_one_attaches()
    {
        using PollerRig rig = new();
        for (int i = 0; i < 3; i++)
        {
            using (RawClient client = rig.Connect())
            {
                rig.IsReady.Should().BeTrue();
                rig.Poller.Process().Should().Be(new PollResult(PollEvents.Connected, 0));
                rig.Poller.State.Should().Be(ServingState.Negotiating);
                rig.Poller.Peer!.Value.ProcessId.Should().Be(Environment.ProcessId);
                rig.IsReady.Should().BeFalse();

                ushort id = client.Say(Command.Version, Served.Version(0, 0, Served.QemuProposal));
                rig.IsReady.Should().BeTrue();
                rig.Poller.Process().Should().Be(new PollResult(PollEvents.Attached, 0));
                client.HearReply(id, Command.Version);
                rig.Poller.State.Should().Be(ServingState.Attached);
                rig.IsReady.Should().BeFalse();

                client.SayBytes(Read(7));
                rig.IsReady.Should().BeTrue();
                rig.Poller.Process().Should().Be(new PollResult(PollEvents.Commands, 1));
                client.HearReply(7, Command.RegionRead);
                rig.IsReady.Should().BeFalse();
            }
            rig.IsReady.Should().BeTrue();
            rig.Poller.Process().Should().Be(new PollResult(PollEvents.Detached, 0));
            rig.Poller.State.Should().Be(ServingState.Listening);
            rig.Poller.Peer.Should().BeNull();
            rig.IsReady.Should().BeFalse();
        }
        rig.Device.Diary.Should().Equal("attached", "detached", "attached", "detached", "attached", "detached");
    }

    [Fact]
    public void Connection_commands_and_disconnect_can_be_ready_at_once()
    {
        using PollerRig rig = new();
        using RawClient client = rig.Connect();
        client.SayBytes([.. RawClient.Message(1, Command.Version, Served.Version(0, 0, Served.QemuProposal)), .. Read(2), .. Read(3)]);

        PollResult result = rig.Poller.Process();

        result.Should().Be(new PollResult(PollEvents.Connected | PollEvents.Attached | PollEvents.Commands, 2));
        client.HearReply(1, Command.Version);
        client.HearReply(2, Command.RegionRead);
        client.HearReply(3, Command.RegionRead);
    }

    [Fact]
    public void A_second_client_waits_and_is_no_event_until_the_first_has_left()
    {
        using PollerRig rig = new(new VfioUserServerOptions { BusyAfter = Wait.Bound });
        using RawClient first = rig.Attach();
        using RawClient second = rig.Connect();
        // it is looked at when the clock has moved on, and from then on nothing is due
        while (rig.IsReady)
            rig.Poller.Process().Events.Should().Be(PollEvents.None);

        first.Dispose();

        rig.Until(PollEvents.Detached);
        rig.Until(PollEvents.Connected);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_poller_of_a_stopped_server_keeps_reporting_that(bool attached)
    {
        using PollerRig rig = new();
        using RawClient? client = attached ? rig.Attach() : null;

        rig.Server.Dispose();

        rig.IsReady.Should().BeTrue();
        rig.Poller.Process().Should().Be(new PollResult(PollEvents.Ended, 0));
        rig.Poller.State.Should().Be(ServingState.Ended);
        rig.IsReady.Should().BeTrue();
        rig.Poller.Process().Should().Be(new PollResult(PollEvents.Ended, 0));
        client?.ShouldHearTheEnd();
        using Served again = Served.Start(rig.Device); // it is free
    }

    [Fact]
    public void Polling_ends_when_it_is_cancelled_and_the_server_may_serve_again()
    {
        using CancellationTokenSource cancel = new();
        using VfioUserServer server = VfioUserServer.BindAbstract($"vfio-user-test-{Guid.NewGuid():N}");
        ProbeDevice device = new();
        using DevicePoller poller = server.CreatePoller(device, cancel.Token);

        cancel.Cancel();

        PollCalls.WaitReadable(poller.Handle, 0).Should().BeTrue();
        poller.Process().Events.Should().Be(PollEvents.Ended);
        using DevicePoller another = server.CreatePoller(device);
        another.Process().Events.Should().Be(PollEvents.None);
    }

    [Fact]
    public void A_poller_for_one_client_ends_when_that_disconnects()
    {
        (var serverEnd, var clientEnd) = SocketCalls.CreatePair();
        using VfioUserServer server = VfioUserServer.FromConnected(serverEnd);
        using DevicePoller poller = server.CreatePoller(new ProbeDevice());
        using (RawClient client = new(clientEnd))
        {
            PollCalls.WaitReadable(poller.Handle, 0).Should().BeTrue();
            poller.Process().Events.Should().Be(PollEvents.Connected);
            ushort id = client.Say(Command.Version, Served.Version(0, 0, Served.QemuProposal));
            poller.Process().Events.Should().Be(PollEvents.Attached);
            client.HearReply(id, Command.Version);
        }

        PollCalls.WaitReadable(poller.Handle, 0).Should().BeTrue();
        poller.Process().Events.Should().Be(PollEvents.Detached | PollEvents.Ended);
    }

    [Fact]
    public void Two_threads_at_a_time_throw()
    {
        using PollerRig rig = new();
        using RawClient client = rig.Attach();
        using ManualResetEvent reading = new(false), released = new(false);
        rig.Device.Read = (_, _) =>
        {
            reading.Set();
            released.ShouldBeSet();
        };
        client.SayBytes(Read(2));
        Task<PollResult> first = Wait.Start(() => rig.Poller.Process());
        reading.ShouldBeSet();

        FluentActions.Invoking(() => rig.Poller.Process()).Should().Throw<InvalidOperationException>();

        released.Set();
        first.ShouldGive(new PollResult(PollEvents.Commands, 1));
        client.HearReply(2, Command.RegionRead);
    }

    [Fact]
    public void The_devices_code_cannot_process()
    {
        using PollerRig rig = new();
        using RawClient client = rig.Attach();
        rig.Device.Read = (_, _) => rig.Poller.Process();
        client.SayBytes(Read(2));

        rig.Poller.Process().Commands.Should().Be(1);

        rig.Log.Entries.Should().ContainSingle(entry => entry.Id == CapturedLog.DeviceThrew).Which.Exception.Should().BeOfType<InvalidOperationException>();
        client.HearReply(2, Command.RegionRead);
    }

    [Fact]
    public void The_thread_may_change_from_call_to_call()
    {
        using PollerRig rig = new();
        using RawClient client = rig.Attach();
        for (ushort id = 1; id <= 20; id++)
        {
            client.SayBytes(Read(id));
            Wait.Start(() => rig.Poller.Process().Commands).ShouldGive(1);
            client.HearReply(id, Command.RegionRead);
        }
    }

    [Fact]
    public void A_device_is_served_by_one_at_a_time()
    {
        using PollerRig rig = new();
        using VfioUserServer other = VfioUserServer.BindAbstract($"vfio-user-test-{Guid.NewGuid():N}");

        FluentActions.Invoking(() => other.CreatePoller(rig.Device)).Should().Throw<InvalidOperationException>().WithMessage("*served already*");
        FluentActions.Invoking(() => rig.Server.CreatePoller(new ProbeDevice())).Should().Throw<InvalidOperationException>().WithMessage("*second server*");
        FluentActions.Invoking(() => rig.Poller.Process(0)).Should().Throw<ArgumentOutOfRangeException>();
    }
}
