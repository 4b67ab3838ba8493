using System.Collections.Concurrent;
using VfioUser.Protocol;
using VfioUser.Tests.Serving;

namespace VfioUser.Tests.Hosts;

/// <summary>Devices on one thread: whose turn it is, when their timers run, and what each takes up.</summary>
[Collection(OpenFds.Name)]
public sealed class SharedThreadTests
{
    [Fact]
    public void A_device_with_many_commands_has_one_turn_a_round_like_the_others()
    {
        const int Turn = 4, Others = 20, Commands = 64;
        ConcurrentQueue<bool> isOther = new(); // in the order in which commands were handled
        using ManualResetEventSlim begun = new(), allHaveSent = new();
        using VfioUserHost host = new(new VfioUserHostOptions { Threads = 1, MaxCommandsPerTurn = Turn });
        using RawClient busy = Attach(host, new Recorder(() =>
        {
            isOther.Enqueue(false);
            begun.Set();
            allHaveSent.Wait(Wait.Bound);
        }));
        RawClient[] others = [.. Enumerable.Range(0, Others).Select(_ => Attach(host, new Recorder(() => isOther.Enqueue(true))))];

        busy.SayBytes([.. Enumerable.Range(1, Commands).SelectMany(id => Write((ushort)id))]);
        begun.Wait(Wait.Bound).Should().BeTrue();
        foreach (RawClient other in others)
            other.SayBytes(Write(1));
        allHaveSent.Set();
        for (ushort id = 1; id <= Commands; id++)
            busy.HearReply(id, Command.RegionWrite);
        foreach (RawClient other in others)
            other.HearReply(1, Command.RegionWrite);

        isOther.Take(Turn + Others + Turn).Count(other => other).Should().Be(Others, "each waits for one turn of the busy one, or two");
        isOther.Should().HaveCount(Commands + Others);
        foreach (RawClient other in others)
            other.Dispose();
    }

    [Fact]
    public void Timers_of_many_devices_run_in_the_order_in_which_they_are_due()
    {
        const int Devices = 50;
        ConcurrentQueue<int> order = new();
        using CountdownEvent left = new(Devices);
        using VfioUserHost host = new(new VfioUserHostOptions { Threads = 1 });
        int[] expected = [.. Enumerable.Range(0, Devices)];
        TimedDevice[] devices = [.. expected.Select(number => new TimedDevice(() =>
        {
            order.Enqueue(number);
            left.Signal();
        }))];
        foreach (TimedDevice device in devices)
            host.Add(device, VfioUserServer.BindAbstract($"vfio-user-test-{Guid.NewGuid():N}"));

        // first for ever, then the last one first: each but the first start makes the time of the device an earlier one
        using ManualResetEventSlim started = new();
        devices[0].Post(() =>
        {
            foreach (TimedDevice device in devices)
                device.Timer.Start(TimeSpan.FromDays(100));
            for (int i = Devices - 1; i >= 0; i--)
                devices[i].Timer.Start(TimeSpan.FromMilliseconds(100 + i));
            started.Set();
        });
        started.Wait(Wait.Bound).Should().BeTrue();

        left.Wait(Wait.Bound).Should().BeTrue();
        order.Should().Equal(expected);
    }

    [Fact]
    public void Clients_that_say_nothing_are_disconnected_in_time()
    {
        VfioUserServerOptions options = new() { NegotiationTimeout = TimeSpan.FromMilliseconds(100) };
        using VfioUserHost host = new(new VfioUserHostOptions { Threads = 1 });
        RawClient[] clients = [.. Enumerable.Range(0, 20).Select(_ => RawClient.Connect(host.Add(new Recorder(() => { }), VfioUserServer.BindAbstract($"vfio-user-test-{Guid.NewGuid():N}", options)).Address))];

        foreach (RawClient client in clients)
        {
            client.ShouldHearTheEnd();
            client.Dispose();
        }
    }

    [Fact]
    public void A_client_that_comes_second_is_refused()
    {
        using VfioUserHost host = new(new VfioUserHostOptions { Threads = 1 });
        HostedDevice device = host.Add(new Recorder(() => { }), VfioUserServer.BindAbstract($"vfio-user-test-{Guid.NewGuid():N}"));
        using RawClient first = RawClient.Connect(device.Address);
        Served.Negotiate(first);
        first.ShouldBeServed();

        using RawClient second = RawClient.Connect(device.Address);
        RawReply reply = second.Ask(Command.Version, Served.Version(0, 0, Served.QemuProposal));

        reply.Header.Error.Should().Be((uint)Errno.EBUSY);
        first.ShouldBeServed();
    }

    [Fact]
    [Trait("Category", "Long")]
    public void A_thousand_devices_take_little_memory_each()
    {
        const int Devices = 1000;
        using VfioUserHost host = new(new VfioUserHostOptions { Threads = 1 });
        Attach(host, new Recorder(() => { })).Dispose(); // what they share
        RawClient?[] clients = new RawClient?[Devices];
        long before = GC.GetTotalMemory(forceFullCollection: true);

        for (int i = 0; i < Devices; i++)
            clients[i] = Attach(host, new Recorder(() => { }));
        foreach (RawClient? client in clients)
            client!.ShouldBeServed();

        long each = (GC.GetTotalMemory(forceFullCollection: true) - before) / Devices;
        each.Should().BeLessThan(32 << 10, "22 KiB are the device and its session");
        foreach (RawClient? client in clients)
            client!.Dispose();
    }

    private static RawClient Attach(VfioUserHost host, PciDevice device)
    {
        HostedDevice hosted = host.Add(device, VfioUserServer.BindAbstract($"vfio-user-test-{Guid.NewGuid():N}"));
        RawClient client = RawClient.Connect(hosted.Address);
        Served.Negotiate(client);
        return client;
    }

    private static byte[] Write(ushort id) =>
        RawClient.Message(id, Command.RegionWrite, RawClient.Bytes(new RegionAccess(0, 0, sizeof(uint)), 1, 0, 0, 0));

    private sealed class Recorder : PciDevice
    {
        public Recorder(Action written)
            : base(new PciId(0x1B36, 0x00F3), PciClass.Unclassified) =>
            AddBar(0, BarKind.Memory32, 0x1000).AddDoorbell(0, written);
    }

    private sealed class TimedDevice : PciDevice
    {
        public TimedDevice(Action due)
            : base(new PciId(0x1B36, 0x00F4), PciClass.Unclassified) => Timer = AddTimer(due);

        public DeviceTimer Timer { get; }
    }
}
