using VfioUser.Protocol;
using VfioUser.Tests.Polling;

namespace VfioUser.Tests.Serving;

/// <summary>Cancelling and disposing, whatever the client is doing. Bounds are far above what is needed, and far below what others wait.</summary>
public sealed class StoppingTests
{
    private static readonly VfioUserServerOptions Patient = new()
    {
        NegotiationTimeout = TimeSpan.FromHours(1),
        DmaTimeout = TimeSpan.FromHours(1),
    };

    public enum Way
    {
        Cancel,
        Dispose,
    }

    private sealed class Stopped : IDisposable
    {
        private readonly CancellationTokenSource _cancel = new();
        private readonly Way _way;

        public Stopped(Way way, ServedBy by)
        {
            _way = way;
            Server = VfioUserServer.BindAbstract($"vfio-user-test-{Guid.NewGuid():N}", Patient with { Logger = Log });
            Running = by == ServedBy.OwnThread ? Server.RunAsync(Device, _cancel.Token) : Polled.RunAsync(Server, Device, stop: _cancel.Token);
        }

        public ProbeDevice Device { get; } = new();

        public CapturedLog Log { get; } = new();

        public VfioUserServer Server { get; }

        public Task Running { get; }

        public RawClient Connect() => RawClient.Connect(Server.Address);

        /// <summary>Asks the server to stop, which must not wait for anyone.</summary>
        public void Stop() => Wait.Start(() =>
        {
            if (_way == Way.Cancel)
                _cancel.Cancel();
            else
                Server.Dispose();
        }).ShouldEnd();

        public void Dispose()
        {
            Server.Dispose();
            Running.ShouldEnd();
            Running.IsCompletedSuccessfully.Should().BeTrue("that is how a run ends");
            _cancel.Dispose();
            Log.Failures.Should().BeEmpty();
        }
    }

    [Theory]
    [InlineData(Way.Cancel, ServedBy.OwnThread)]
    [InlineData(Way.Cancel, ServedBy.Poller)]
    [InlineData(Way.Dispose, ServedBy.OwnThread)]
    [InlineData(Way.Dispose, ServedBy.Poller)]
    public void Stopping_ends_a_server_without_a_client(Way way, ServedBy by)
    {
        using Stopped server = new(way, by);

        server.Stop();

        server.Running.ShouldEnd();
    }

    [Theory]
    [InlineData(Way.Cancel, ServedBy.OwnThread)]
    [InlineData(Way.Cancel, ServedBy.Poller)]
    [InlineData(Way.Dispose, ServedBy.OwnThread)]
    [InlineData(Way.Dispose, ServedBy.Poller)]
    public void Stopping_ends_an_idle_session(Way way, ServedBy by)
    {
        using Stopped server = new(way, by);
        using RawClient client = server.Connect();
        Served.Negotiate(client);
        client.ShouldBeServed();

        server.Stop();

        client.ShouldHearTheEnd();
        server.Running.ShouldEnd();
        server.Device.ShouldTell("detached");
    }

    [Theory]
    [InlineData(Way.Cancel, 0, ServedBy.OwnThread)]
    [InlineData(Way.Cancel, 0, ServedBy.Poller)]
    [InlineData(Way.Cancel, 20, ServedBy.OwnThread)]
    [InlineData(Way.Cancel, 20, ServedBy.Poller)]
    [InlineData(Way.Dispose, 0, ServedBy.OwnThread)]
    [InlineData(Way.Dispose, 0, ServedBy.Poller)]
    [InlineData(Way.Dispose, 20, ServedBy.OwnThread)]
    [InlineData(Way.Dispose, 20, ServedBy.Poller)]
    public void Stopping_disconnects_a_client_that_has_not_negotiated(Way way, int length, ServedBy by)
    {
        using Stopped server = new(way, by);
        using RawClient client = server.Connect();
        client.SayBytes(RawClient.Message(1, Command.Version, Served.Version(0, 1, "{}")).AsSpan(0, length));

        server.Stop();

        server.Running.ShouldEnd();
    }

    [Theory]
    [InlineData(Way.Cancel, ServedBy.OwnThread)]
    [InlineData(Way.Cancel, ServedBy.Poller)]
    [InlineData(Way.Dispose, ServedBy.OwnThread)]
    [InlineData(Way.Dispose, ServedBy.Poller)]
    public void Stopping_disconnects_a_client_within_a_message(Way way, ServedBy by)
    {
        using Stopped server = new(way, by);
        using RawClient client = server.Connect();
        Served.Negotiate(client);
        client.SayBytes(RawClient.Message(new MessageHeader(1, Command.RegionWrite, 1 << 20, MessageFlags.Command, 0)));

        server.Stop();

        server.Running.ShouldEnd();
    }

    [Theory]
    [InlineData(Way.Cancel, ServedBy.OwnThread)]
    [InlineData(Way.Cancel, ServedBy.Poller)]
    [InlineData(Way.Dispose, ServedBy.OwnThread)]
    [InlineData(Way.Dispose, ServedBy.Poller)]
    public void Stopping_waits_for_a_busy_device(Way way, ServedBy by)
    {
        using ManualResetEvent reading = new(false), released = new(false);
        using Stopped server = new(way, by);
        server.Device.Read = (_, _) =>
        {
            reading.Set();
            released.ShouldBeSet();
        };
        using RawClient client = server.Connect();
        Served.Negotiate(client);
        client.Say(Command.RegionRead, new RegionAccess(0, ProbeDevice.Plain, 4));
        reading.ShouldBeSet();

        server.Stop(); // comes back; the run cannot end yet

        client.ShouldHearTheEnd();
        server.Running.IsCompleted.Should().BeFalse();
        released.Set();
        server.Running.ShouldEnd();
    }

    [Theory]
    [InlineData(Way.Cancel, false, ServedBy.OwnThread)]
    [InlineData(Way.Cancel, false, ServedBy.Poller)]
    [InlineData(Way.Dispose, false, ServedBy.OwnThread)]
    [InlineData(Way.Dispose, false, ServedBy.Poller)]
    [InlineData(Way.Cancel, true, ServedBy.OwnThread)]
    [InlineData(Way.Cancel, true, ServedBy.Poller)]
    [InlineData(Way.Dispose, true, ServedBy.OwnThread)]
    [InlineData(Way.Dispose, true, ServedBy.Poller)]
    public void Stopping_ends_an_access_to_the_clients_memory(Way way, bool twin, ServedBy by)
    {
        using Stopped server = new(way, by);
        bool? done = null;
        server.Device.Read = (_, destination) => done = server.Device.Dma.TryRead(new Iova(0x1000), destination);
        using RawClient client = server.Connect();
        Served.Negotiate(client, twin ? Served.TwinProposal : Served.QemuProposal);
        client.Ask(Command.DmaMap, new DmaMap(DmaMap.WireSize, DmaMapFlags.Readable, 0, 0x1000, 0x1000)).ShouldBeGranted();
        client.Say(Command.RegionRead, new RegionAccess(0, ProbeDevice.Plain, 4));
        (client.Twin ?? client).HearCommand(Command.DmaRead); // and no answer

        server.Stop();

        server.Running.ShouldEnd();
        done.Should().BeFalse();
    }

    [Theory]
    [InlineData(Way.Cancel, ServedBy.OwnThread)]
    [InlineData(Way.Cancel, ServedBy.Poller)]
    [InlineData(Way.Dispose, ServedBy.OwnThread)]
    [InlineData(Way.Dispose, ServedBy.Poller)]
    public void Stopping_disconnects_a_client_that_does_not_read_replies(Way way, ServedBy by)
    {
        using Stopped server = new(way, by);
        using RawClient client = server.Connect();
        Served.Negotiate(client);
        using ManualResetEvent reading = new(false);
        server.Device.Read = (_, _) => reading.Set();
        // 16 MB of replies, more than any socket buffer takes: the server stands in its send
        byte[] read = RawClient.Message(1, Command.RegionRead, new RegionAccess(0, ProbeDevice.Plain, ProbeDevice.PlainSize));
        client.SayBytes([.. Enumerable.Repeat(read, 4000).SelectMany(bytes => bytes)]);
        reading.ShouldBeSet();

        server.Stop();

        server.Running.ShouldEnd();
    }

    [Theory]
    [InlineData(Way.Cancel, ServedBy.OwnThread)]
    [InlineData(Way.Cancel, ServedBy.Poller)]
    [InlineData(Way.Dispose, ServedBy.OwnThread)]
    [InlineData(Way.Dispose, ServedBy.Poller)]
    public void Stopping_abandons_a_lease_that_is_never_disposed(Way way, ServedBy by)
    {
        using Stopped server = new(way, by);
        using RawClient client = server.Connect();
        Served.Negotiate(client);
        client.Ask(Command.DmaMap, new DmaMap(DmaMap.WireSize, DmaMapFlags.Readable, 0, 0x1000, 0x1000)).ShouldBeGranted();
        server.Device.Dma.TryLease(new Iova(0x1000), 0x1000, writable: false, out DmaLease lease).Should().BeTrue();
        client.Say(Command.DmaUnmap, new DmaUnmap(DmaUnmap.WireSize, 0, 0x1000, 0x1000));
        server.Device.ShouldTell("unmapping 0x1000");

        server.Stop();

        server.Running.ShouldEnd();
        lease.TryRead(0, new byte[4]).Should().BeFalse(); // the client has gone
        lease.Dispose();
    }

    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    public void Stopping_before_the_start_ends_the_run(ServedBy by)
    {
        using CancellationTokenSource cancel = new();
        cancel.Cancel();
        using VfioUserServer server = VfioUserServer.BindAbstract($"vfio-user-test-{Guid.NewGuid():N}");

        (by == ServedBy.OwnThread ? server.RunAsync(new ProbeDevice(), cancel.Token) : Polled.RunAsync(server, new ProbeDevice(), stop: cancel.Token)).ShouldEnd();
    }

    [Fact]
    public void A_stopped_server_can_run_again()
    {
        ProbeDevice device = new();
        using VfioUserServer server = VfioUserServer.BindAbstract($"vfio-user-test-{Guid.NewGuid():N}");
        using (CancellationTokenSource cancel = new())
        {
            Task first = server.RunAsync(device, cancel.Token);
            cancel.Cancel();
            first.ShouldEnd();
        }

        Task second = server.RunAsync(device);
        using (RawClient client = RawClient.Connect(server.Address))
        {
            Served.Negotiate(client);
            client.ShouldBeServed();
        }
        server.Dispose();
        second.ShouldEnd();
    }
}
