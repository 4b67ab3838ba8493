using Microsoft.Extensions.Logging;
using VfioUser.Protocol;

namespace VfioUser.Tests.Serving;

/// <summary>What a device knows of its client, and how it sends it away.</summary>
public sealed class DeviceSessionTests
{
    private const int Detached = 3;

    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    public void Device_has_its_session_while_a_client_is_attached(ServedBy by)
    {
        SessionDevice device = new();
        using Rig rig = new(by, device);
        device.Session.Should().BeNull();

        using (RawClient client = rig.Attach())
            device.Session!.Peer.ProcessId.Should().Be(Environment.ProcessId);

        device.Gone.Task.ShouldGive(true);
        Background.MustBecomeTrue(() => device.Session is null, "there is no session without a client");
    }

    [Theory]
    [InlineData(ServedBy.OwnThread, false)]
    [InlineData(ServedBy.OwnThread, true)]
    [InlineData(ServedBy.Poller, false)]
    [InlineData(ServedBy.Poller, true)]
    public void Device_disconnects_its_client_for_a_reason_and_serves_the_next(ServedBy by, bool inHandler)
    {
        SessionDevice device = new();
        using Rig rig = new(by, device);
        using RawClient client = rig.Attach();

        if (inHandler)
            client.Say(Command.RegionWrite, RawClient.Bytes(new RegionAccess(0, 0, sizeof(uint)), RawClient.Bytes(1u)));
        else
            device.Session!.Disconnect("the disk has died");

        device.Gone.Task.ShouldGive(true);
        using RawClient next = rig.Attach();
        next.ShouldBeServed();
        rig.Log.Entries.Should().ContainSingle(entry => entry.Id == Detached)
            .Which.Text.Should().Contain("the device disconnected it: the disk has died");
    }

    [Fact]
    public void A_stale_session_does_not_disconnect_the_next_client()
    {
        SessionDevice device = new();
        using Rig rig = new(ServedBy.OwnThread, device);
        DeviceSession old;
        using (rig.Attach())
            old = device.Session!;
        device.Gone.Task.ShouldGive(true);
        using RawClient next = rig.Attach();

        old.Disconnect("too late");

        next.ShouldBeServed();
    }

    [Fact]
    public void Device_writes_to_the_log_of_its_server()
    {
        SessionDevice device = new();
        device.Logger.Log(LogLevel.Warning, 0, "nobody hears this", null, static (text, _) => text);
        using Rig rig = new(ServedBy.OwnThread, device);

        device.Logger.Log(LogLevel.Warning, 0, "link is down", null, static (text, _) => text);

        rig.Log.Entries.Should().ContainSingle(entry => entry.Level == LogLevel.Warning).Which.Text.Should().Be("link is down");
    }

    [Fact]
    public async Task Asynchronous_disposal_of_a_server_waits_for_the_code_of_the_device()
    {
        SessionDevice device = new();
        VfioUserServer server = VfioUserServer.BindAbstract($"vfio-user-test-{Guid.NewGuid():N}");
        Task running = server.RunAsync(device);
        using RawClient client = RawClient.Connect(server.Address);
        Served.Negotiate(client);

        await server.DisposeAsync();

        running.IsCompletedSuccessfully.Should().BeTrue();
        device.Gone.Task.IsCompleted.Should().BeTrue();
    }

    [Fact]
    public async Task Disposal_of_a_device_after_its_server_stopped_is_signalled()
    {
        SessionDevice device = new();
        using VfioUserServer server = VfioUserServer.BindAbstract($"vfio-user-test-{Guid.NewGuid():N}");
        Task running = server.RunAsync(device);

        device.Dispose();
        bool early = device.Disposal.IsCompleted;
        server.Dispose();
        await device.Disposal;

        early.Should().BeFalse();
        device.IsDisposed.Should().BeTrue();
        running.ShouldEnd();
    }

    private sealed class Rig : IDisposable
    {
        private readonly VfioUserServer _server;
        private readonly Task _running;

        public Rig(ServedBy by, SessionDevice device)
        {
            _server = VfioUserServer.BindAbstract($"vfio-user-test-{Guid.NewGuid():N}", new VfioUserServerOptions { Logger = Log });
            _running = by == ServedBy.OwnThread ? _server.RunAsync(device) : Polling.Polled.RunAsync(_server, device);
        }

        public CapturedLog Log { get; } = new();

        public RawClient Attach()
        {
            RawClient client = RawClient.Connect(_server.Address);
            Served.Negotiate(client);
            client.ShouldBeServed();
            return client;
        }

        public void Dispose()
        {
            _server.Dispose();
            _running.ShouldEnd();
        }
    }

    private sealed class SessionDevice : PciDevice
    {
        public SessionDevice()
            : base(new PciId(0x1B36, 0x00F9), PciClass.Other) =>
            AddBar(0, BarKind.Memory32, 0x1000).AddDoorbell(0, () => Session!.Disconnect("the disk has died"));

        /// <summary>Whether the session was there in the first OnDetached.</summary>
        public TaskCompletionSource<bool> Gone { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public bool IsDisposed { get; private set; }

        protected override void OnDetached() => Gone.TrySetResult(Session is not null);

        protected override void Dispose(bool disposing)
        {
            IsDisposed = true;
            base.Dispose(disposing);
        }
    }
}
