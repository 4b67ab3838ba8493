using VfioUser.Protocol;
using VfioUser.Tests.Polling;
using VfioUser.Tests.Quiesce;
using VfioUser.Tests.Serving;

namespace VfioUser.Tests.Work;

/// <summary>Servers that stop, devices that are disposed and pollers that must not spin, while a reset is requested.</summary>
public sealed class RequestedResetEndTests
{
    private const int QuiesceAbandoned = 61;

    private readonly WorkingDevice _device = new();

    [Theory]
    [MemberData(nameof(RequestedResetTests.Drivers), MemberType = typeof(RequestedResetTests))]
    public void Server_that_stops_keeps_the_request_for_the_next_run(ServedBy by)
    {
        using LateAnswer answer = new();
        _device.Answer = answer.Ask;
        Task<bool> reset;
        using (WorkRig first = new(by, _device))
        {
            reset = _device.RequestResetAsync();
            answer.ShouldBeAsked();
            first.Server.Dispose();
            answer.ShouldBeCancelled();
            answer.GivesUp();
            first.Running.ShouldEnd();
        }
        reset.IsCompleted.Should().BeFalse();
        _device.Diary.Should().BeEmpty();
        _device.Answer = (_, _) => new(true);

        using WorkRig second = new(by, _device);

        reset.ShouldGive(true);
        _device.ShouldTell("reset DeviceRequested");
    }

    [Theory]
    [MemberData(nameof(RequestedResetTests.Drivers), MemberType = typeof(RequestedResetTests))]
    public void Server_that_stops_gives_up_a_device_that_never_answers(ServedBy by)
    {
        using LateAnswer answer = new();
        using (WorkRig rig = new(by, _device))
        {
            using RawClient client = rig.Attach();
            _device.Answer = answer.Ask;
            _ = _device.RequestResetAsync();
            answer.ShouldBeAsked();

            rig.Server.Dispose();

            answer.ShouldBeCancelled();
            rig.Running.ShouldEnd();
            rig.Log.Has(QuiesceAbandoned).Should().BeTrue();
        }
        _device.ShouldTell("detached");
        _device.Diary.Should().BeEmpty();
    }

    [Theory]
    [MemberData(nameof(RequestedResetTests.Drivers), MemberType = typeof(RequestedResetTests))]
    public void Disposing_the_device_cancels_a_requested_reset(ServedBy by)
    {
        Task<bool> before = _device.RequestResetAsync();
        using (WorkRig rig = new(by, _device))
        {
            before.ShouldGive(true);
            _device.ShouldTell("reset DeviceRequested");
            _device.Dispose();
        }

        _device.RequestResetAsync().IsCanceled.Should().BeTrue();
    }

    [Fact]
    public void Disposing_a_device_without_a_server_cancels_a_requested_reset()
    {
        Task<bool> reset = _device.RequestResetAsync();

        _device.Dispose();

        reset.IsCanceled.Should().BeTrue();
    }

    [Fact]
    public void Poller_has_nothing_to_do_while_the_device_quiesces_whatever_clients_do()
    {
        using LateAnswer answer = new();
        using PollerRig rig = new(served: _device);
        using RawClient client = rig.Attach();
        _device.Answer = answer.Ask;
        Task<bool> reset = _device.RequestResetAsync();
        rig.IsReady.Should().BeTrue();

        (rig.Poller.Process().Events & PollEvents.Quiescing).Should().Be(PollEvents.Quiescing);
        ushort id = client.Say(Command.DeviceReset);
        using RawClient other = rig.Connect();
        rig.IsReady.Should().BeFalse();
        rig.Poller.Process().Should().Be(new PollResult(PollEvents.Quiescing, 0));
        rig.IsReady.Should().BeFalse();
        _device.Answer = (_, _) => new(true);
        answer.Quiesced();

        rig.Until(PollEvents.Commands);
        client.HearReply(id, Command.DeviceReset).ShouldBeGranted();
        reset.ShouldGive(true);
        _device.ShouldTell("reset DeviceRequested", "reset ClientRequested");
    }

    [Theory]
    [MemberData(nameof(RequestedResetTests.Drivers), MemberType = typeof(RequestedResetTests))]
    public void Requests_among_clients_that_reset_unmap_and_leave_all_complete(ServedBy by)
    {
        const int Count = 300;
        int asked = 0;
        int reset = 0;
        _device.Answer = async (_, _) =>
        {
            Interlocked.Increment(ref asked);
            await Task.Yield();
            return true;
        };
        _device.Happened = what => reset += what.StartsWith("reset", StringComparison.Ordinal) ? 1 : 0;
        using WorkRig rig = new(by, _device);

        Task requests = Task.Run(async () =>
        {
            for (int i = 0; i < Count; i++)
                (await _device.RequestResetAsync()).Should().BeTrue();
        });
        do
        {
            using RawClient client = rig.Attach();
            client.Ask(Command.DmaMap, QuiesceRig.Map(0x10000)).ShouldBeGranted();
            WorkRig.Reset(client);
            client.Say(Command.DmaUnmap, new DmaUnmap(DmaUnmap.WireSize, 0, 0x10000, QuiesceRig.Page));
            client.Say(Command.DeviceReset);
        }
        while (!requests.IsCompleted);
        requests.ShouldGive();

        reset.Should().BeGreaterThan(Count / 2);
        asked.Should().BeGreaterThanOrEqualTo(reset);
    }
}
