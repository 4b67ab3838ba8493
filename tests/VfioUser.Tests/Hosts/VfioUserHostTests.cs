using VfioUser.Protocol;
using VfioUser.Protocol.Interop;
using VfioUser.Tests.Serving;

namespace VfioUser.Tests.Hosts;

/// <summary>Devices that come and go, on threads of their own and on shared ones.</summary>
public sealed class VfioUserHostTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("vfio-user-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static VfioUserHost NewHost(int threads) => new(new VfioUserHostOptions { Threads = threads });

    private static VfioUserServer NewServer(VfioUserServerOptions? options = null) =>
        VfioUserServer.BindAbstract($"vfio-user-test-{Guid.NewGuid():N}", options);

    private static RawClient Attach(HostedDevice device, string proposal = Served.QemuProposal)
    {
        RawClient client = RawClient.Connect(device.Address);
        Served.Negotiate(client, proposal);
        return client;
    }

    private static void ShouldBecome(HostedDevice device, ServingState state) =>
        Background.MustBecomeTrue(() => device.State == state, $"{device.State} should become {state}");

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void The_host_has_the_state_of_each_device(int threads)
    {
        using VfioUserHost host = NewHost(threads);
        ProbeDevice[] devices = [new(), new(), new()];
        HostedDevice[] hosted = [.. devices.Select((device, i) => host.Add(device, Path.Combine(_folder, $"{i}.sock")))];
        host.Devices.Should().Equal(hosted);
        hosted[1].Device.Should().BeSameAs(devices[1]);
        hosted[1].Address.Should().Be(Path.Combine(_folder, "1.sock"));
        hosted.Should().OnlyContain(device => device.State == ServingState.Listening && device.Peer == null && device.SessionCount == 0 && device.LastError == null);

        using (RawClient client = Attach(hosted[1]))
        {
            client.ShouldBeServed();
            hosted.Select(device => device.State).Should().Equal(ServingState.Listening, ServingState.Attached, ServingState.Listening);
            hosted[1].Peer!.Value.ProcessId.Should().Be(Environment.ProcessId);
        }
        ShouldBecome(hosted[1], ServingState.Listening);
        using RawClient silent = RawClient.Connect(hosted[1].Address);
        ShouldBecome(hosted[1], ServingState.Negotiating);

        hosted[1].SessionCount.Should().Be(1);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void Removal_waits_for_a_client_that_is_requested_to_release_the_device(int threads)
    {
        using VfioUserHost host = NewHost(threads);
        HostedDevice hosted = host.Add(new ProbeDevice(), NewServer());
        using RawClient client = Attach(hosted);
        using EventFd request = new();
        client.Ask(Command.DeviceSetIrqs,
            new IrqSet(IrqSet.WireSize, IrqSetFlags.DataEventFd | IrqSetFlags.ActionTrigger, (uint)IrqType.Request, 0, 1), request.Handle).ShouldBeGranted();

        Task removal = hosted.RequestRemovalAsync();
        request.Wait(Wait.Bound).Should().BeTrue();
        bool early = removal.IsCompleted;
        client.Dispose();

        removal.ShouldEnd();
        early.Should().BeFalse();
        hosted.State.Should().Be(ServingState.Ended);
        host.Devices.Should().BeEmpty();
    }

    [Fact]
    public void A_device_stays_if_its_client_does_not_release_it_in_time()
    {
        using VfioUserHost host = NewHost(1);
        HostedDevice hosted = host.Add(new ProbeDevice(), NewServer());
        using RawClient client = Attach(hosted);
        using CancellationTokenSource impatient = new(TimeSpan.FromMilliseconds(20));

        Task removal = hosted.RequestRemovalAsync(impatient.Token);

        removal.ShouldEnd();
        removal.IsCanceled.Should().BeTrue();
        client.ShouldBeServed();
        host.Devices.Should().Equal(hosted);
    }

    [Fact]
    public void Without_a_client_a_device_is_removed_at_once()
    {
        using VfioUserHost host = NewHost(1);
        HostedDevice hosted = host.Add(new ProbeDevice(), NewServer());

        hosted.RequestRemovalAsync().ShouldEnd();

        host.Devices.Should().BeEmpty();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void A_removed_device_is_not_served_and_the_others_are(int threads)
    {
        using VfioUserHost host = new(new VfioUserHostOptions { Threads = threads, DisposeDevices = false });
        ProbeDevice leaving = new(), staying = new();
        HostedDevice first = host.Add(leaving, Path.Combine(_folder, "first.sock"));
        HostedDevice second = host.Add(staying, Path.Combine(_folder, "second.sock"));
        using RawClient cutOff = Attach(first), served = Attach(second);

        first.RemoveAsync().ShouldGive();

        cutOff.ShouldHearTheEnd();
        leaving.ShouldTell("detached");
        first.State.Should().Be(ServingState.Ended);
        File.Exists(first.Address).Should().BeFalse();
        host.Devices.Should().Equal(second);
        served.ShouldBeServed();
        HostedDevice again = host.Add(leaving, Path.Combine(_folder, "first.sock"));
        using RawClient next = Attach(again);
        next.ShouldBeServed();
        first.RemoveAsync().ShouldGive(); // of no effect on the new one
        next.ShouldBeServed();
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(0, true)]
    [InlineData(1, false)]
    [InlineData(1, true)]
    public void Removing_waits_for_no_client(int threads, bool twin)
    {
        using VfioUserHost host = NewHost(threads);
        ProbeDevice device = new();
        device.Read = (_, destination) => device.Dma.TryRead(new Iova(0x1000), destination);
        HostedDevice hosted = host.Add(device, NewServer(new VfioUserServerOptions { DmaTimeout = TimeSpan.FromHours(1) }));
        using RawClient client = Attach(hosted, twin ? Served.TwinProposal : Served.QemuProposal);
        client.Ask(Command.DmaMap, new DmaMap(DmaMap.WireSize, DmaMapFlags.Readable, 0, 0x1000, 0x1000)).ShouldBeGranted();
        client.Say(Command.RegionRead, new RegionAccess(0, ProbeDevice.Plain, 4));
        (client.Twin ?? client).HearCommand(Command.DmaRead); // and no answer

        hosted.RemoveAsync().ShouldGive();

        device.Dma.Regions.Should().BeEmpty();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void A_device_whose_code_still_runs_is_stopping(int threads)
    {
        using ManualResetEvent reading = new(false), released = new(false);
        using VfioUserHost host = NewHost(threads);
        ProbeDevice device = new();
        device.Read = (_, _) =>
        {
            reading.Set();
            released.ShouldBeSet();
        };
        HostedDevice hosted = host.Add(device, NewServer());
        using RawClient client = Attach(hosted);
        client.Say(Command.RegionRead, new RegionAccess(0, ProbeDevice.Plain, 4));
        reading.ShouldBeSet();

        Task removal = hosted.RemoveAsync();

        hosted.State.Should().Be(ServingState.Stopping);
        client.ShouldHearTheEnd();
        removal.IsCompleted.Should().BeFalse();
        released.Set();
        removal.ShouldGive();
        hosted.State.Should().Be(ServingState.Ended);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void A_device_that_throws_or_a_client_with_invalid_messages_ends_no_other_device(int threads)
    {
        using VfioUserHost host = NewHost(threads);
        ProbeDevice throwing = new() { Happened = what => throw new InvalidOperationException(what) };
        HostedDevice bad = host.Add(throwing, NewServer()), good = host.Add(new ProbeDevice(), NewServer());
        using RawClient served = Attach(good);
        using (RawClient client = Attach(bad))
            client.Ask(Command.DeviceReset, []).ShouldBeRefused(Errno.EIO);
        using (RawClient client = Attach(bad))
        {
            client.SayBytes(RawClient.Message(new MessageHeader(1, Command.DeviceReset, 3, MessageFlags.Command, 0)));
            client.Hear().ShouldBeRefused(Errno.EINVAL);
            client.ShouldHearTheEnd();
        }

        served.ShouldBeServed();
        using RawClient next = Attach(bad);
        next.ShouldBeServed();
        bad.SessionCount.Should().Be(3);
        bad.LastError.Should().BeOfType<ProtocolException>();
        good.LastError.Should().BeNull();
    }

    [Fact]
    public void A_device_with_its_own_thread_blocks_no_other_device()
    {
        using ManualResetEvent reading = new(false), released = new(false);
        using VfioUserHost host = NewHost(1);
        ProbeDevice blocking = new();
        blocking.Read = (_, _) =>
        {
            reading.Set();
            released.ShouldBeSet();
        };
        HostedDevice other = host.Add(new ProbeDevice(), NewServer());
        HostedDevice hosted = host.Add(blocking, NewServer(), ownThread: true);
        using RawClient client = Attach(hosted), served = Attach(other);
        client.Say(Command.RegionRead, new RegionAccess(0, ProbeDevice.Plain, 4));
        reading.ShouldBeSet();

        served.ShouldBeServed();

        released.Set();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void A_server_for_one_client_ends_with_it(int threads)
    {
        using VfioUserHost host = NewHost(threads);
        (var serverEnd, var clientEnd) = SocketCalls.CreatePair();
        HostedDevice hosted = host.Add(new ProbeDevice(), VfioUserServer.FromConnected(serverEnd));
        using (RawClient client = new(clientEnd))
            Served.Negotiate(client);

        hosted.Completion.ShouldGive();

        hosted.State.Should().Be(ServingState.Ended);
        Background.MustBecomeTrue(() => host.Devices.Count == 0, "it is no device of the host any more");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public void A_disposed_host_serves_no_client(int threads)
    {
        VfioUserHost host = NewHost(threads);
        HostedDevice[] hosted = [.. Enumerable.Range(0, 5).Select(_ => host.Add(new ProbeDevice(), NewServer()))];
        using RawClient client = Attach(hosted[2]);

        host.DisposeAsync().AsTask().ShouldGive();

        client.ShouldHearTheEnd();
        hosted.Should().OnlyContain(device => device.State == ServingState.Ended);
        host.Devices.Should().BeEmpty();
        using VfioUserServer server = NewServer();
        FluentActions.Invoking(() => host.Add(new ProbeDevice(), server)).Should().Throw<ObjectDisposedException>();
        host.Dispose();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void A_device_that_cannot_be_added_changes_nothing(int threads)
    {
        using VfioUserHost host = NewHost(threads);
        ProbeDevice device = new();
        string path = Path.Combine(_folder, "device.sock");
        HostedDevice hosted = host.Add(device, path);

        FluentActions.Invoking(() => host.Add(device, Path.Combine(_folder, "other.sock"))).Should().Throw<InvalidOperationException>();
        FluentActions.Invoking(() => host.Add(new ProbeDevice(), path)).Should().Throw<IOException>();

        host.Devices.Should().Equal(hosted);
        File.Exists(Path.Combine(_folder, "other.sock")).Should().BeFalse();
        using RawClient client = Attach(hosted);
        client.ShouldBeServed();
    }

    [Fact]
    public void Numbers_that_make_no_sense_are_refused()
    {
        FluentActions.Invoking(() => NewHost(-1)).Should().Throw<ArgumentOutOfRangeException>();
        FluentActions.Invoking(() => new VfioUserHost(new VfioUserHostOptions { MaxCommandsPerTurn = 0 })).Should().Throw<ArgumentOutOfRangeException>();
    }
}
