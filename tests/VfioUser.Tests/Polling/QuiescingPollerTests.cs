using VfioUser.Protocol;
using VfioUser.Tests.Quiesce;
using VfioUser.Tests.Serving;

namespace VfioUser.Tests.Polling;

/// <summary>A device that quiesces while a poller serves it, with clients that misbehave.</summary>
public sealed class QuiescingPollerTests
{
    private const uint Length = 0x1000;
    private const int ReadsInABatch = 8;

    private static byte[] Reads() => [.. Enumerable.Range(1, ReadsInABatch).SelectMany(id =>
        RawClient.Message((ushort)id, Command.RegionRead, new RegionAccess(0, (uint)RegionIndex.Bar0, Length)))];

    private static byte[] Reset() => RawClient.Message(99, Command.DeviceReset);

    // after so many the next one's replies do not all fit into the socket
    private static int CountBatchesThatFit()
    {
        using PollerRig rig = new(served: new QuiescingDevice());
        using RawClient client = rig.Attach();
        for (int batches = 0; ; batches++)
        {
            client.SayBytes(Reads());
            if (rig.UntilIdle() == 0)
                return batches - 1;
        }
    }

    private static void HearReads(PollerRig rig, RawClient client, int batches)
    {
        for (int id = 0; id < batches * ReadsInABatch; id++)
        {
            client.HearReply((ushort)(id % ReadsInABatch + 1), Command.RegionRead).Payload.Should().HaveCount(RegionAccess.WireSize + (int)Length);
            if (rig.IsReady)
                rig.Poller.Process();
        }
    }

    // the device is quiescing for a reset; earlier replies may still be buffered
    private static void BeginReset(PollerRig rig, RawClient client, int batchesBefore)
    {
        for (int i = 0; i < batchesBefore; i++)
        {
            client.SayBytes(Reads());
            rig.UntilIdle().Should().Be(ReadsInABatch);
        }
        client.SayBytes([.. Reads(), .. Reset()]);
        rig.UntilIdle().Should().Be(ReadsInABatch);
    }

    [Fact]
    public void The_end_of_a_quiesce_is_an_event_when_a_slow_client_reads_its_replies()
    {
        int fit = CountBatchesThatFit();
        QuiescingDevice device = new();
        using PollerRig rig = new(served: device);
        using RawClient client = rig.Attach();
        using LateAnswer answer = device.AnswerLater();
        BeginReset(rig, client, fit);

        answer.Quiesced();

        for (int i = 0; i < 3; i++)
            rig.Poller.Process();
        rig.IsReady.Should().BeFalse("nothing can be done before the client reads");
        HearReads(rig, client, fit + 1);
        rig.UntilIdle();
        client.HearReply(99, Command.DeviceReset).Header.Error.Should().Be(0u);
        device.Diary.Should().EndWith(["reset ClientRequested", "resumed Reset"]);
        rig.UntilIdle().Should().Be(0);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_client_that_disconnects_during_a_quiesce_is_one_event_and_detached_after_it(bool unsent)
    {
        int before = unsent ? CountBatchesThatFit() : 0;
        QuiescingDevice device = new();
        using PollerRig rig = new(served: device);
        using LateAnswer answer = device.AnswerLater();
        using (RawClient client = rig.Attach())
            BeginReset(rig, client, before);

        rig.IsReady.Should().BeTrue("it hung up");
        rig.UntilIdle();
        rig.Poller.State.Should().Be(ServingState.Attached);
        answer.ShouldBeCancelled();
        answer.Quiesced();
        rig.Until(PollEvents.Detached);

        device.Diary.Should().EndWith(["asked Reset", "detached", "resumed Reset"]);
        device.Answer = (_, _) => new(true);
        using RawClient next = rig.Attach();
        rig.IsReady.Should().BeFalse();
    }

    [Theory]
    [InlineData("pending")]
    [InlineData("pending unsent")]
    [InlineData("pending leaving")]
    [InlineData("leaving")]
    public void Disposing_gives_up_a_device_that_never_answers(string state)
    {
        int fit = CountBatchesThatFit();
        QuiescingDevice device = new();
        using PollerRig rig = new(served: device);
        using LateAnswer answer = device.AnswerLater();
        using (RawClient client = rig.Attach())
        {
            if (state is not "leaving")
                BeginReset(rig, client, state is "pending unsent" ? fit : 0);
            if (!state.EndsWith("leaving", StringComparison.Ordinal))
                Wait.Start(rig.Poller.Dispose).ShouldEnd();
        }
        if (rig.Poller.State != ServingState.Ended)
            rig.UntilIdle();
        Wait.Start(rig.Poller.Dispose).ShouldEnd();

        rig.Poller.State.Should().Be(ServingState.Ended);
        device.Diary.Should().EndWith("detached");
    }
}
