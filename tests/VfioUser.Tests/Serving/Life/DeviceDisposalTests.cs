using VfioUser.Protocol;

namespace VfioUser.Tests.Serving;

/// <summary>The end of a device, and of what it holds.</summary>
[Collection(OpenFds.Name)]
public class DeviceDisposalTests
{
    private sealed class Sharing : PciDevice
    {
        public Sharing()
            : base(new PciId(0x1B36, 0x00F1), PciClass.Unclassified)
        {
            Bar bar = AddBar(0, BarKind.Memory32, size: 0x10000);
            Memory = bar.ShareMemory(new MemoryArea(0, 0x1000));
            bar.AddMsiX(offset: 0x8000, vectors: 4);
            bar.AddIoEventFd(0x2000, () => { });
            AddIntx();
            EnableMigration();
        }

        public RegionMemory Memory { get; }

        public int Disposed { get; private set; }

        public Action? WhenDisposed { get; init; }

        public Action? WhenDetached { get; init; }

        protected override void OnDetached() => WhenDetached?.Invoke();

        protected override void Dispose(bool disposing)
        {
            Disposed++;
            WhenDisposed?.Invoke();
            base.Dispose(disposing);
        }
    }

    private static string Name() => $"vfio-user-test-{Guid.NewGuid():N}";

    private static void Use(string address)
    {
        using RawClient client = RawClient.Connect(address);
        Served.Negotiate(client);
        client.ShouldBeServed();
    }

    // nothing is collected here: what is disposed is kept alive by the test
    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    public void Three_hundred_devices_leave_no_descriptor_behind_without_a_garbage_collection(ServedBy by)
    {
        List<object> kept = [];
        Once(by, kept); // the runtime's own
        OpenFds before = OpenFds.Now();

        for (int i = 0; i < 300; i++)
            Once(by, kept);

        before.MoreUncollected().Should().BeEmpty();
        OpenFds.Mappings("vfio-user-Bar0").Should().Be(0);
        GC.KeepAlive(kept);
    }

    private static void Once(ServedBy by, List<object> kept)
    {
        Sharing device = new();
        VfioUserServer server = VfioUserServer.BindAbstract(Name());
        Task running = by == ServedBy.OwnThread ? server.RunAsync(device) : Polling.Polled.RunAsync(server, device);
        Use(server.Address);
        server.Dispose();
        running.ShouldEnd();
        device.Dispose();
        kept.AddRange([device, server, running]);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public void A_host_disposes_its_devices_and_nothing_stays_open(int threads)
    {
        List<object> kept = [];
        Host();
        OpenFds before = OpenFds.Now();

        Host();

        before.MoreUncollected().Should().BeEmpty();
        kept.OfType<Sharing>().Should().OnlyContain(device => device.Disposed == 1);
        GC.KeepAlive(kept);

        void Host()
        {
            VfioUserHost host = new(new VfioUserHostOptions { Threads = threads });
            List<HostedDevice> hosted = [.. Enumerable.Range(0, 50).Select(_ => host.Add(new Sharing(), VfioUserServer.BindAbstract(Name())))];
            hosted.ForEach(device => Use(device.Address));
            hosted[0].RemoveAsync().ShouldGive();
            host.DisposeAsync().AsTask().ShouldGive();
            kept.AddRange([host, .. hosted, .. hosted.Select(device => device.Device)]);
        }
    }

    [Fact]
    public void A_host_with_leave_open_does_not_dispose_its_devices()
    {
        using Sharing device = new();
        using (VfioUserHost host = new(new VfioUserHostOptions { DisposeDevices = false }))
            host.Add(device, VfioUserServer.BindAbstract(Name())).RemoveAsync().ShouldGive();

        device.Disposed.Should().Be(0);
        device.Memory.Span(0, 4).Length.Should().Be(4);
    }

    [Fact]
    public void A_served_device_is_disposed_after_it_was_detached()
    {
        Sharing device = new();
        using VfioUserServer server = VfioUserServer.BindAbstract(Name());
        Task running = server.RunAsync(device);

        device.Dispose();
        device.Dispose();

        Use(server.Address);
        device.Disposed.Should().Be(0);
        server.Dispose();
        running.ShouldGive();
        device.Disposed.Should().Be(1);
        device.Invoking(it => it.Memory.Span(0, 1).ToArray()).Should().Throw<ObjectDisposedException>();
    }

    [Fact]
    public void A_device_may_dispose_itself()
    {
        Sharing? device = null;
        device = new Sharing { WhenDetached = () => device!.Dispose() };
        using VfioUserServer server = VfioUserServer.BindAbstract(Name());
        Task running = server.RunAsync(device);
        Use(server.Address);

        server.Dispose();

        running.ShouldGive();
        device.Disposed.Should().Be(1);
    }

    [Fact]
    public void A_device_that_was_disposed_is_not_served_again()
    {
        Sharing device = new();
        device.Dispose();
        using VfioUserServer server = VfioUserServer.BindAbstract(Name());

        FluentActions.Invoking(() => { _ = server.RunAsync(device); }).Should().Throw<ObjectDisposedException>();
        server.Invoking(it => it.CreatePoller(device)).Should().Throw<ObjectDisposedException>();

        using Sharing other = new();
        Task running = server.RunAsync(other);
        Use(server.Address);
        server.Dispose();
        running.ShouldGive();
    }

    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    public void A_device_that_throws_in_dispose_is_logged_and_the_run_ends(ServedBy by)
    {
        CapturedLog log = new();
        Sharing device = new() { WhenDisposed = () => throw new InvalidOperationException("no end") };
        using VfioUserServer server = VfioUserServer.BindAbstract(Name(), new VfioUserServerOptions { Logger = log });
        Task running = by == ServedBy.OwnThread ? server.RunAsync(device) : Polling.Polled.RunAsync(server, device);
        device.Dispose();

        server.Dispose();

        running.ShouldGive();
        log.Entries.Should().Contain(entry => entry.Id == 94 && entry.Exception!.Message == "no end");
    }

    [Fact]
    public void Resources_given_to_a_region_are_disposed_with_the_device()
    {
        using EventFd other = new();
        Microsoft.Win32.SafeHandles.SafeFileHandle taken = Protocol.Interop.FileCalls.Duplicate(other.Handle);
        IoRegion device = new(taken);

        device.Dispose();

        taken.IsClosed.Should().BeTrue();
    }

    private sealed class IoRegion : PciDevice
    {
        public IoRegion(Microsoft.Win32.SafeHandles.SafeFileHandle fd)
            : base(new PciId(0x1B36, 0x00F1), PciClass.Unclassified)
        {
            Bar bar = AddBar(0, BarKind.Memory32, size: 0x1000);
            bar.AddIoRegionFd(0, 4, fd);
            bar.AddIoRegionFd(4, 4, fd);
        }
    }
}
