using VfioUser.Protocol;
using VfioUser.Protocol.Interop;
using VfioUser.Tests.Serving;

namespace VfioUser.Tests.Polling;

/// <summary>Disposing a poller whatever it is doing: the device is free, and no descriptor stays.</summary>
[Collection(OpenFds.Name)]
public sealed class PollerDisposalTests
{
    private static readonly VfioUserServerOptions Patient = new()
    {
        NegotiationTimeout = TimeSpan.FromHours(1),
        DmaTimeout = TimeSpan.FromHours(1),
    };

    private static byte[] Read(ushort id) => RawClient.Message(id, Command.RegionRead, new RegionAccess(0, ProbeDevice.Plain, ProbeDevice.PlainSize));

    private static void ShouldLeaveNothing(Action<PollerRig> act)
    {
        Once(act); // what the runtime keeps from the first time on
        OpenFds before = OpenFds.Now();

        Once(act);

        before.More().Should().BeEmpty();
    }

    private static void Once(Action<PollerRig> act)
    {
        using PollerRig rig = new(Patient);
        act(rig);
        rig.Poller.State.Should().Be(ServingState.Ended);
        rig.Poller.Dispose();
        using Served again = Served.Start(rig.Device);
    }

    [Fact]
    public void Disposing_an_idle_poller_leaves_no_descriptor() => ShouldLeaveNothing(rig => rig.Poller.Dispose());

    [Fact]
    public void Disposing_before_a_client_is_accepted_leaves_no_descriptor() => ShouldLeaveNothing(rig =>
    {
        using RawClient client = rig.Connect();
        rig.Poller.Dispose();
    });

    [Theory]
    [InlineData(0)]
    [InlineData(18)]
    public void Disposing_before_negotiation_disconnects_the_client_and_leaves_no_descriptor(int length) => ShouldLeaveNothing(rig =>
    {
        using RawClient client = rig.Connect();
        client.SayBytes(RawClient.Message(1, Command.Version, Served.Version(0, 1, "{}")).AsSpan(0, length));
        rig.UntilIdle();

        rig.Poller.Dispose();

        client.ShouldHearTheEnd();
    });

    [Theory]
    [InlineData(Served.QemuProposal)]
    [InlineData(Served.TwinProposal)]
    public void Disposing_during_a_session_leaves_no_descriptor(string proposal) => ShouldLeaveNothing(rig =>
    {
        using RawClient client = rig.Attach(proposal);

        rig.Poller.Dispose();

        client.ShouldHearTheEnd();
        rig.Device.ShouldTell("detached");
    });

    [Fact]
    public void Disposing_with_unsent_descriptors_leaves_none() => ShouldLeaveNothing(rig =>
    {
        using RawClient client = rig.Attach();
        byte[] info = RawClient.Message(1, Command.DeviceGetRegionInfo, new RegionInfo(4096, 0, ProbeDevice.Shared, 0, 0, 0));
        do
            client.SayBytes([.. Read(1), .. info]);
        while (rig.UntilIdle() > 0);

        rig.Poller.Dispose();
    });

    [Fact]
    public void Disposing_after_the_server_leaves_no_descriptor() => ShouldLeaveNothing(rig =>
    {
        using RawClient client = rig.Attach();
        rig.Server.Dispose();
        rig.Poller.Dispose();
    });

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Disposing_during_an_access_by_message_leaves_no_descriptor(bool twin) => ShouldLeaveNothing(rig =>
    {
        bool? read = null;
        rig.Device.Read = (_, destination) => read = rig.Device.Dma.TryRead(new Iova(0x1000), destination);
        using RawClient client = rig.Attach(twin ? Served.TwinProposal : Served.QemuProposal);
        client.Say(Command.DmaMap, new DmaMap(DmaMap.WireSize, DmaMapFlags.Readable, 0, 0x1000, 0x1000));
        rig.Until(PollEvents.Commands);
        client.Hear().ShouldBeGranted();
        client.SayBytes(RawClient.Message(2, Command.RegionRead, new RegionAccess(0, ProbeDevice.Plain, 4)));
        Task<PollResult> processing = Wait.Start(() => rig.Poller.Process());
        (client.Twin ?? client).HearCommand(Command.DmaRead); // and no answer

        rig.Poller.Dispose();

        processing.ShouldEnd();
        read.Should().BeFalse();
    });

    [Fact]
    public void Disposing_from_the_devices_code_leaves_no_descriptor() => ShouldLeaveNothing(rig =>
    {
        rig.Device.Read = (_, _) => rig.Poller.Dispose();
        using RawClient client = rig.Attach();
        client.SayBytes(Read(2));

        rig.Poller.Process();

        client.ShouldHearTheEnd();
    });

    [Fact]
    public void Processing_after_disposal_does_nothing()
    {
        using PollerRig rig = new();

        rig.Poller.Dispose();

        rig.Poller.Process().Should().Be(new PollResult(PollEvents.Ended, 0));
        rig.Poller.Handle.IsClosed.Should().BeTrue();
    }

    [Fact]
    public void A_poller_can_be_disposed_by_two_threads_while_a_third_processes()
    {
        for (int i = 0; i < 200; i++)
        {
            using PollerRig rig = new();
            using RawClient client = rig.Attach();
            client.SayBytes(Read(2));
            using Barrier start = new(3);
            Task[] tasks =
            [
                Wait.Start(() => Meet(start, rig.Poller.Dispose)),
                Wait.Start(() => Meet(start, rig.Server.Dispose)),
                Wait.Start(() => Meet(start, () => rig.Poller.Process())),
            ];

            foreach (Task task in tasks)
                task.ShouldGive();

            rig.Poller.State.Should().Be(ServingState.Ended);
            rig.Poller.Handle.IsClosed.Should().BeTrue();
            using DevicePoller again = NewServer().CreatePoller(rig.Device);
        }
    }

    private static VfioUserServer NewServer() => VfioUserServer.BindAbstract($"vfio-user-test-{Guid.NewGuid():N}");

    private static void Meet(Barrier start, Action action)
    {
        start.SignalAndWait();
        action();
    }

    [Fact]
    public void A_poller_holds_five_descriptors_with_a_client()
    {
        using PollerRig warm = new();
        using RawClient warmClient = warm.Attach();
        OpenFds before = OpenFds.Now();

        using PollerRig rig = new();
        using RawClient client = rig.Attach();

        IEnumerable<string> ofPoller = before.More().Where(target => !target.StartsWith("/memfd:", StringComparison.Ordinal)).Select(target => target.Split(':')[^1]);
        // three sockets: the listening one, the client's, and the test's end of that
        ofPoller.Where(target => target[^1] == ']' && !char.IsDigit(target[1])).Should().BeEquivalentTo("[eventpoll]", "[eventfd]", "[timerfd]");
        ofPoller.Should().HaveCount(6);
    }
}
