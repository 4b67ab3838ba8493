using VfioUser.Protocol;
using VfioUser.Tests.Quiesce;
using VfioUser.Tests.Serving;

namespace VfioUser.Tests.Work;

/// <summary>A reset that the device itself requests, with each driver.</summary>
public sealed class RequestedResetTests
{
    private const ulong Page = 0x1000;
    private const ulong Mapped = 0x10000;

    private readonly WorkingDevice _device = new();

    public static TheoryData<ServedBy> Drivers => [ServedBy.OwnThread, ServedBy.Poller, ServedBy.Host];

    [Theory]
    [MemberData(nameof(Drivers))]
    public void Device_is_reset_before_during_and_after_a_session(ServedBy by)
    {
        using WorkRig rig = new(by, _device);
        _device.Register.Value = 1;
        _device.RequestResetAsync().ShouldGive(true);
        _device.ShouldTell("reset DeviceRequested");
        _device.Register.Value.Should().Be(0);

        using (RawClient client = rig.Attach())
        {
            WorkRig.Write(client, 2);
            _device.RequestResetAsync().ShouldGive(true);
            _device.ShouldTell("reset DeviceRequested");
            _device.Register.Value.Should().Be(0);
            client.ShouldBeServed();
        }

        _device.ShouldTell("detached");
        _device.RequestResetAsync().ShouldGive(true);
        _device.ShouldTell("reset DeviceRequested");
    }

    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    public void Device_is_quiesced_before_and_resumed_before_the_task_completes(ServedBy by)
    {
        QuiescingDevice device = new();
        using VfioUserServer server = VfioUserServer.BindAbstract($"vfio-user-test-{Guid.NewGuid():N}");
        Task running = by == ServedBy.OwnThread ? server.RunAsync(device) : Polling.Polled.RunAsync(server, device);

        device.RequestResetAsync().ShouldGive(true);

        device.Diary.Should().Equal("asked Reset", "reset DeviceRequested", "resumed Reset");
        server.Dispose();
        running.ShouldEnd();
    }

    [Theory]
    [MemberData(nameof(Drivers))]
    public void A_handler_that_requests_a_reset_returns_before_it(ServedBy by)
    {
        using WorkRig rig = new(by, _device);
        using RawClient client = rig.Attach();
        _device.Written = value =>
        {
            if (value == 1)
                _ = _device.RequestResetAsync();
            _device.Tell($"written {value}");
        };

        WorkRig.Write(client, 1);

        _device.ShouldTell("written 1", "reset DeviceRequested");
        WorkRig.Write(client, 2);
        _device.ShouldTell("written 2");
    }

    [Theory]
    [MemberData(nameof(Drivers))]
    public void Commands_wait_while_the_device_quiesces(ServedBy by)
    {
        using WorkRig rig = new(by, _device);
        using RawClient client = rig.Attach();
        using LateAnswer answer = new();
        _device.Answer = answer.Ask;
        _device.Written = value => _device.Tell($"written {value}");

        Task<bool> reset = _device.RequestResetAsync();
        answer.ShouldBeAsked();
        ushort write = SayWrite(client, 5);
        ushort clientReset = client.Say(Command.DeviceReset);
        _device.Answer = (_, _) => new(true);
        answer.Quiesced();

        reset.ShouldGive(true);
        client.HearReply(write, Command.RegionWrite).Header.Error.Should().Be(0u);
        client.HearReply(clientReset, Command.DeviceReset).ShouldBeGranted();
        _device.ShouldTell("reset DeviceRequested", "written 5", "reset ClientRequested");
    }

    [Theory]
    [MemberData(nameof(Drivers))]
    public void Requests_that_have_not_begun_are_one_reset_and_one_during_it_is_another(ServedBy by)
    {
        using WorkRig rig = new(by, _device);
        using LateAnswer answer = new();
        _device.Answer = answer.Ask;
        Task<bool>? during = null;
        _device.Happened = _ => during ??= _device.RequestResetAsync();

        Task<bool> first = _device.RequestResetAsync();
        answer.ShouldBeAsked();
        Task<bool> second = _device.RequestResetAsync();
        _device.Answer = (_, _) => new(true);
        answer.Quiesced();

        first.ShouldGive(true);
        second.ShouldGive(true);
        during!.ShouldGive(true);
        _device.ShouldTell("reset DeviceRequested", "reset DeviceRequested");
        _device.Diary.Should().BeEmpty();
    }

    [Theory]
    [MemberData(nameof(Drivers))]
    public void Device_that_cannot_be_quiesced_is_not_reset(ServedBy by)
    {
        using WorkRig rig = new(by, _device);
        using RawClient client = rig.Attach();
        _device.Answer = (_, _) => new(false);
        _device.RequestResetAsync().ShouldGive(false);
        _device.Answer = (_, _) => throw new InvalidOperationException("stuck");
        _device.RequestResetAsync().ShouldGive(false);

        DeviceExceptionContext context = rig.ShouldThrow();
        (context.Callback, context.Command, context.Exception.Message).Should().Be((DeviceCallback.Quiesce, null, "stuck"));
        _device.Diary.Should().BeEmpty();
        client.ShouldBeServed();
        _device.Answer = (_, _) => new(true);
        _device.RequestResetAsync().ShouldGive(true);
    }

    [Theory]
    [MemberData(nameof(Drivers))]
    public void Exception_of_the_reset_is_reported_and_the_device_resumed(ServedBy by)
    {
        using WorkRig rig = new(by, _device);
        using RawClient client = rig.Attach();
        _device.Happened = _ => throw new InvalidOperationException("broken");

        _device.RequestResetAsync().ShouldGive(false);

        rig.ShouldThrow().Callback.Should().Be(DeviceCallback.Reset);
        _device.Happened = null;
        _device.Post(() => _device.Tell("runs"));
        _device.ShouldTell("reset DeviceRequested", "runs");
    }

    [Theory]
    [MemberData(nameof(Drivers))]
    public void Reset_waits_for_an_unmap_that_waits_for_a_lease(ServedBy by)
    {
        using WorkRig rig = new(by, _device);
        using RawClient client = rig.Attach();
        Map(client);
        _device.Dma.TryLease(new Iova(Mapped), 8, writable: false, out DmaLease lease).Should().BeTrue();

        ushort unmap = client.Say(Command.DmaUnmap, new DmaUnmap(DmaUnmap.WireSize, 0, Mapped, Page));
        SpinWait.SpinUntil(() => _device.Activity.State == DeviceState.Quiesced, Wait.Bound).Should().BeTrue();
        Task<bool> reset = _device.RequestResetAsync();
        _device.Diary.Should().BeEmpty();
        lease.Dispose();

        client.HearReply(unmap, Command.DmaUnmap).Header.Error.Should().Be(0u);
        reset.ShouldGive(true);
    }

    [Theory]
    [MemberData(nameof(Drivers))]
    public void A_reset_requested_after_a_disconnect_precedes_the_next_client(ServedBy by)
    {
        using WorkRig rig = new(by, _device);
        Task<bool>? reset = null;
        _device.Happened = what =>
        {
            if (what is "detached")
                reset = _device.RequestResetAsync();
        };
        rig.Attach().Dispose();
        using RawClient next = rig.Attach();

        _device.ShouldTell("detached", "reset DeviceRequested");
        reset!.ShouldGive(true);
    }

    [Theory]
    [MemberData(nameof(Drivers))]
    public void Client_that_leaves_meanwhile_is_noticed_after_the_reset(ServedBy by)
    {
        using WorkRig rig = new(by, _device);
        using LateAnswer answer = new();
        RawClient client = rig.Attach();
        _device.Answer = answer.Ask;
        Task<bool> reset = _device.RequestResetAsync();
        answer.ShouldBeAsked();

        client.Dispose();
        _device.Answer = (_, _) => new(true);
        answer.Quiesced();

        reset.ShouldGive(true);
        _device.ShouldTell("reset DeviceRequested", "detached");
        using RawClient next = rig.Attach();
    }

    [Theory]
    [MemberData(nameof(Drivers))]
    public void Threads_of_the_device_reach_memory_by_message_while_it_quiesces(ServedBy by)
    {
        using WorkRig rig = new(by, _device);
        using RawClient client = rig.Attach();
        client.Ask(Command.DmaMap, QuiesceRig.Map(Mapped)).ShouldBeGranted();
        using LateAnswer answer = new();
        _device.Answer = answer.Ask;
        Task<bool> reset = _device.RequestResetAsync();
        answer.ShouldBeAsked();

        Task<bool> read = Wait.Start(() => (bool)_device.Dma.TryRead(new Iova(Mapped), out uint value) && value == 7);
        RawReply asked = client.HearCommand(Command.DmaRead);
        client.Answer(asked, RawClient.Bytes(new DmaAccess(Mapped, 4), [7, 0, 0, 0]));

        read.ShouldGive(true);
        _device.Answer = (_, _) => new(true);
        answer.Quiesced();
        reset.ShouldGive(true);
    }

    [Theory]
    [MemberData(nameof(Drivers))]
    public void Workers_are_outside_during_the_reset_and_enter_after_it(ServedBy by)
    {
        using ManualResetEvent leave = new(false);
        Task<bool>? reset = null;
        _device.AddWorkerThread("busy", (work, stop) =>
        {
            using (work.Enter())
            {
                reset = _device.RequestResetAsync();
                leave.ShouldBeSet();
                _device.Tell("leaves");
            }
            using (work.Enter())
                _device.Tell("enters");
        });
        using WorkRig rig = new(by, _device);
        SpinWait.SpinUntil(() => _device.Activity.State == DeviceState.Quiescing, Wait.Bound).Should().BeTrue();

        leave.Set();

        _device.ShouldTell("leaves", "reset DeviceRequested", "enters");
        reset!.ShouldGive(true);
    }

    [Theory]
    [MemberData(nameof(Drivers))]
    public void A_reset_drops_earlier_posts_and_timers(ServedBy by)
    {
        DeviceTimer timer = _device.AddTimer(() => _device.Tell("due"));
        using WorkRig rig = new(by, _device);
        using LateAnswer answer = new();
        _device.Answer = answer.Ask;
        timer.Start(TimeSpan.FromHours(1));
        Task<bool> reset = _device.RequestResetAsync();
        answer.ShouldBeAsked();
        _device.Post(() => _device.Tell("void"), untilReset: true);
        _device.Post(() => _device.Tell("posted"));
        answer.Quiesced();

        reset.ShouldGive(true);
        _device.ShouldTell("reset DeviceRequested", "posted");
        timer.IsRunning.Should().BeFalse();
    }

    private static ushort SayWrite(RawClient client, uint value) =>
        client.Say(Command.RegionWrite, RawClient.Bytes(new RegionAccess(0, 0, sizeof(uint)), RawClient.Bytes(value)));

    private static void Map(RawClient client)
    {
        using Microsoft.Win32.SafeHandles.SafeFileHandle file = Files.Sealed(Page);
        client.Ask(Command.DmaMap, QuiesceRig.Map(Mapped), file).ShouldBeGranted();
    }
}
