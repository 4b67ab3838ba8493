using System.Collections.Concurrent;
using VfioUser.Protocol;
using VfioUser.Tests.Polling;
using VfioUser.Tests.Serving;

namespace VfioUser.Tests.Work;

/// <summary>A working device behind a server with any driver.</summary>
internal sealed class WorkRig : IDisposable
{
    private readonly VfioUserHost? _host;

    public WorkRig(ServedBy by, WorkingDevice? device = null, VfioUserServerOptions? options = null)
    {
        Device = device ?? new WorkingDevice();
        Server = VfioUserServer.BindAbstract($"vfio-user-test-{Guid.NewGuid():N}", (options ?? new VfioUserServerOptions()) with
        {
            Logger = Log,
            OnDeviceException = context => Threw.Add(context),
        });
        if (by == ServedBy.Host)
        {
            _host = new VfioUserHost(new VfioUserHostOptions { Threads = 1, DisposeDevices = false });
            Running = _host.Add(Device, Server).Completion;
        }
        else
        {
            Running = by == ServedBy.OwnThread ? Server.RunAsync(Device) : Polled.RunAsync(Server, Device);
        }
    }

    public WorkingDevice Device { get; }

    public VfioUserServer Server { get; }

    public Task Running { get; }

    public CapturedLog Log { get; } = new();

    public BlockingCollection<DeviceExceptionContext> Threw { get; } = [];

    public RawClient Attach()
    {
        RawClient client = RawClient.Connect(Server.Address);
        Served.Negotiate(client);
        client.ShouldBeServed();
        return client;
    }

    /// <summary>Writes the device's register, and waits until it was handled.</summary>
    public static void Write(RawClient client, uint value) =>
        client.Ask(Command.RegionWrite, RawClient.Bytes(new RegionAccess(0, 0, sizeof(uint)), RawClient.Bytes(value)))
            .ShouldBegin<RegionAccess>(out _).Count.Should().Be(sizeof(uint));

    public void FunctionLevelReset(RawClient client) => client.Ask(Command.RegionWrite,
        RawClient.Bytes(new RegionAccess((ulong)Device.ResetControl - 1, (uint)RegionIndex.Config, 2), [0, 0x80])).Header.Error.Should().Be(0u);

    public static void Reset(RawClient client) => client.Ask(Command.DeviceReset).ShouldBeGranted();

    public static void GoTo(RawClient client, MigrationState state) =>
        client.Ask(Command.DeviceFeature, Quiesce.QuiesceRig.State(state)).Header.Error.Should().Be(0u);

    public DeviceExceptionContext ShouldThrow()
    {
        Threw.TryTake(out DeviceExceptionContext? context, Wait.Bound).Should().BeTrue("the device threw");
        return context!;
    }

    public void Dispose()
    {
        Server.Dispose();
        Running.ShouldEnd();
        _host?.Dispose();
        Log.Failures.Should().BeEmpty("no client should bring out a failure of this side");
        Threw.Should().BeEmpty("the test has seen what the device threw");
    }
}
