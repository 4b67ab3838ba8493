using VfioUser.Protocol;
using VfioUser.Tests.Serving;

namespace VfioUser.Tests.Polling;

/// <summary>Why a client is gone, for those who do not read the log.</summary>
public sealed class LastDisconnectTests
{
    [Fact]
    public void Without_an_earlier_client_there_is_no_disconnect_reason()
    {
        using PollerRig rig = new();
        rig.Poller.LastDisconnect.Should().BeNull();

        using RawClient client = rig.Attach();

        rig.Poller.LastDisconnect.Should().BeNull("it is still there");
    }

    [Fact]
    public void Client_that_closes_the_connection_has_closed_it()
    {
        using PollerRig rig = new();
        rig.Attach().Dispose();

        rig.Until(PollEvents.Detached);

        ShouldHaveGone(rig, DisconnectReason.ClientClosed, "it closed the connection");
    }

    [Fact]
    public void Client_that_never_negotiates_has_closed_the_connection_before()
    {
        using PollerRig rig = new();
        rig.Connect().Dispose();

        rig.Until(PollEvents.Detached);

        ShouldHaveGone(rig, DisconnectReason.ClientClosed, "it closed the connection before negotiation");
    }

    [Fact]
    public void Client_whose_version_is_unknown_has_not_negotiated()
    {
        using PollerRig rig = new();
        using RawClient client = rig.Connect();
        client.Say(Command.Version, Served.Version(9, 0, "{}"));

        rig.Until(PollEvents.Detached);

        ShouldHaveGone(rig, DisconnectReason.NegotiationFailed, "negotiation failed");
    }

    [Fact]
    public void Client_that_sends_no_message_has_violated_the_protocol()
    {
        using PollerRig rig = new();
        using RawClient client = rig.Attach();
        client.SayBytes(RawClient.Message(new MessageHeader(77, Command.RegionRead, 1, MessageFlags.Command, 0)));

        rig.Until(PollEvents.Detached);

        ShouldHaveGone(rig, DisconnectReason.ProtocolViolation, "it violated the protocol");
        rig.Poller.LastError.Should().BeOfType<ProtocolException>();
    }

    [Fact]
    public void Device_that_disconnects_its_client_gives_the_reason()
    {
        using PollerRig rig = new();
        using RawClient client = rig.Attach();
        rig.Device.Session!.Disconnect("the disk has died");

        rig.Until(PollEvents.Detached);

        ShouldHaveGone(rig, DisconnectReason.DeviceRequested, "the device disconnected it: the disk has died");
    }

    [Fact]
    public void Server_that_stops_disconnects_its_client()
    {
        using PollerRig rig = new();
        using RawClient client = rig.Attach();
        rig.Server.Dispose();

        rig.Until(PollEvents.Ended);

        ShouldHaveGone(rig, DisconnectReason.ServerStopped, "the server stops");
    }

    [Fact]
    public void Reason_is_that_of_the_last_client()
    {
        using PollerRig rig = new();
        rig.Attach().Dispose();
        rig.Until(PollEvents.Detached);
        using RawClient client = rig.Attach();
        rig.Poller.LastDisconnect!.Reason.Should().Be(DisconnectReason.ClientClosed, "the next one is still there");

        rig.Server.Dispose();
        rig.Until(PollEvents.Ended);

        rig.Poller.LastDisconnect!.Reason.Should().Be(DisconnectReason.ServerStopped);
    }

    [Fact]
    public void Host_has_the_reason_too()
    {
        using VfioUserHost host = new(new VfioUserHostOptions { Threads = 1 });
        using VfioUserServer server = VfioUserServer.BindAbstract($"vfio-user-test-{Guid.NewGuid():N}");
        HostedDevice hosted = host.Add(new ProbeDevice(), server);
        using (RawClient client = RawClient.Connect(hosted.Address))
            Served.Negotiate(client, Served.QemuProposal);

        Background.MustBecomeTrue(() => hosted.LastDisconnect is not null, "the client has gone");

        hosted.LastDisconnect!.Reason.Should().Be(DisconnectReason.ClientClosed);
    }

    private static void ShouldHaveGone(PollerRig rig, DisconnectReason reason, string message)
    {
        ClientDisconnect disconnect = rig.Poller.LastDisconnect!;
        disconnect.Reason.Should().Be(reason);
        disconnect.Message.Should().Be(message);
        disconnect.Peer.ProcessId.Should().Be(Environment.ProcessId);
        rig.Log.Entries.Should().ContainSingle(entry => entry.Id == 3).Which.Text.Should().EndWith($"{message}.");
    }
}
