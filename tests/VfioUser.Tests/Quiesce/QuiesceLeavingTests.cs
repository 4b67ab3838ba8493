using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;
using VfioUser.Tests.Serving;

namespace VfioUser.Tests.Quiesce;

/// <summary>Clients that leave and servers that stop, in the middle and elsewhere.</summary>
public sealed class QuiesceLeavingTests
{
    private const int QuiesceAbandoned = 61;
    private const int QuiesceFailed = 62;

    public static TheoryData<string, ServedBy> CommandsByEach
    {
        get
        {
            TheoryData<string, ServedBy> data = [];
            foreach (string command in QuiesceTests.Commands)
            {
                data.Add(command, ServedBy.OwnThread);
                data.Add(command, ServedBy.Poller);
            }
            return data;
        }
    }

    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    public void A_device_is_quiesced_before_the_memory_of_a_disconnected_client_is_unmapped(ServedBy by)
    {
        using QuiesceRig rig = new(by: by);
        RawClient client = rig.Attach();

        client.Dispose();

        rig.ShouldTell("resumed ClientGone");
        rig.Device.Diary.Should().Equal("asked ClientGone", "unmapping", "detached", "resumed ClientGone");
    }

    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    public void Memory_stays_while_a_device_quiesces_after_the_client_left(ServedBy by)
    {
        using QuiesceRig rig = new(by: by);
        using LateAnswer answer = new();
        RawClient client = rig.Attach();
        rig.Device.Answer = answer.Ask;

        client.Dispose();
        answer.ShouldBeAsked();

        rig.Device.Dma.TryWrite(new Iova(QuiesceRig.Mapped), 1u).Should().BeTrue();
        rig.Device.Diary.Should().Equal("asked ClientGone");
        rig.Device.Answer = (_, _) => new(true);
        answer.Quiesced();
        rig.ShouldTell("resumed ClientGone");
        rig.Device.Diary.Should().Equal("asked ClientGone", "unmapping", "detached", "resumed ClientGone");
        using RawClient next = rig.Attach();
        next.ShouldBeServed();
    }

    [Theory]
    [InlineData(false, ServedBy.OwnThread)]
    [InlineData(false, ServedBy.Poller)]
    [InlineData(true, ServedBy.OwnThread)]
    [InlineData(true, ServedBy.Poller)]
    public void Memory_of_a_device_that_does_not_quiesce_is_unmapped_anyway(bool throws, ServedBy by)
    {
        using QuiesceRig rig = new(by: by);
        RawClient client = rig.Attach();
        rig.Device.Answer = (_, _) => throws ? throw new InvalidOperationException("stuck") : new ValueTask<bool>(false);

        client.Dispose();

        rig.ShouldTell("detached");
        rig.Device.Answer = (_, _) => new(true);
        using RawClient next = rig.Attach();
        next.Ask(Command.DeviceReset).ShouldBeGranted();
        rig.Device.Diary.Should().Equal("asked Reset", "reset ClientRequested", "resumed Reset");
        rig.Threw.Should().HaveCount(throws ? 1 : 0);
        rig.Log.Has(QuiesceFailed).Should().Be(!throws);
    }

    // As libvfio-user's test_dma_map_busy_reply_fail, but that the command is not carried out for nobody.
    [Theory]
    [MemberData(nameof(CommandsByEach))]
    public void A_client_that_disconnects_during_a_quiesce_drops_its_command_and_the_device_quiesces_once(string what, ServedBy by)
    {
        using QuiesceRig rig = new(by: by);
        RawClient client = rig.Attach();
        using LateAnswer answer = rig.Device.AnswerLater();
        string reason = QuiesceRig.ReasonOf(what).ToString();

        rig.Say(client, what);
        answer.ShouldBeAsked();
        client.Say(Command.RegionWrite, RawClient.Bytes(new RegionAccess(0, (uint)RegionIndex.Bar0, 4), [9, 0, 0, 0]));
        client.Dispose();
        answer.ShouldBeCancelled();
        rig.Device.Diary.Should().EndWith($"asked {reason}");
        answer.Quiesced();

        rig.ShouldTell($"resumed {reason}");
        rig.Device.Diary.Where(entry => entry is not "written 1").Should().Equal($"asked {reason}", "unmapping", "detached", $"resumed {reason}");
        rig.Device.Answer = (_, _) => new(true);
        using RawClient next = rig.Attach();
        next.ShouldBeServed();
    }

    [Theory]
    [InlineData("busy", ServedBy.OwnThread)]
    [InlineData("busy", ServedBy.Poller)]
    [InlineData("gives up", ServedBy.OwnThread)]
    [InlineData("gives up", ServedBy.Poller)]
    [InlineData("fails", ServedBy.OwnThread)]
    [InlineData("fails", ServedBy.Poller)]
    public void A_device_that_did_not_quiesce_is_requested_again_after_a_disconnect(string how, ServedBy by)
    {
        using QuiesceRig rig = new(by: by);
        RawClient client = rig.Attach();
        using LateAnswer answer = rig.Device.AnswerLater();

        rig.Say(client, "reset");
        answer.ShouldBeAsked();
        client.Dispose();
        answer.ShouldBeCancelled();
        CancellationToken second = new(canceled: true);
        rig.Device.Answer = (_, cancellation) =>
        {
            second = cancellation;
            return new(true);
        };
        if (how is "busy")
            answer.IsBusy();
        else if (how is "gives up")
            answer.GivesUp();
        else
            answer.Fails(new InvalidOperationException("stuck"));

        rig.ShouldTell("resumed ClientGone");
        rig.Device.Diary.Should().Equal("asked Reset", "asked ClientGone", "unmapping", "detached", "resumed ClientGone");
        rig.Threw.Should().HaveCount(how is "fails" ? 1 : 0);
        second.IsCancellationRequested.Should().BeFalse();
    }

    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    public void Continuations_of_the_leaving_run_on_none_of_the_servers_threads(ServedBy by)
    {
        using QuiesceRig rig = new(by: by);
        RawClient client = rig.Attach();
        using LateAnswer answer = rig.Device.AnswerLater();

        rig.Say(client, "reset");
        answer.ShouldBeAsked();
        client.Dispose();

        answer.ShouldBeCancelled();
        answer.CancelledOn!.IsThreadPoolThread.Should().BeTrue();
        rig.Device.Answer = (_, _) => new(true);
        answer.Quiesced();
    }

    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    public void A_client_that_only_sends_no_more_gets_its_answer(ServedBy by)
    {
        using QuiesceRig rig = new(by: by);
        using RawClient client = rig.Attach();
        using LateAnswer answer = rig.Device.AnswerLater();

        ushort id = rig.Say(client, "reset");
        answer.ShouldBeAsked();
        client.StopTalking();
        rig.Device.Answer = (_, _) => new(true);
        answer.Quiesced();

        client.HearReply(id, Command.DeviceReset).ShouldBeGranted();
        rig.ShouldTell("resumed ClientGone");
        rig.Device.Diary.Should().StartWith(["asked Reset", "reset ClientRequested", "resumed Reset"]);
    }

    // libvfio-user does not ask when it is destroyed; but the memory goes then as well.
    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    public void A_server_that_stops_quiesces_the_device(ServedBy by)
    {
        using QuiesceRig rig = new(by: by);
        using RawClient client = rig.Attach();
        bool cancelled = true;
        rig.Device.Answer = (_, cancellation) =>
        {
            cancelled = cancellation.IsCancellationRequested;
            return new(true);
        };

        rig.Server.Dispose();

        rig.Running.ShouldEnd();
        rig.Device.Diary.Should().Equal("asked ClientGone", "unmapping", "detached", "resumed ClientGone");
        cancelled.Should().BeFalse();
    }

    [Theory]
    [InlineData(false, ServedBy.OwnThread)]
    [InlineData(false, ServedBy.Poller)]
    [InlineData(true, ServedBy.OwnThread)]
    [InlineData(true, ServedBy.Poller)]
    public void A_server_that_stops_gives_a_device_that_never_answers_up(bool inCommand, ServedBy by)
    {
        using QuiesceRig rig = new(by: by);
        using RawClient client = rig.Attach();
        using LateAnswer answer = rig.Device.AnswerLater();
        if (inCommand)
        {
            rig.Say(client, "reset");
            answer.ShouldBeAsked();
        }

        rig.Server.Dispose();

        answer.ShouldBeCancelled();
        rig.Running.ShouldEnd();
        rig.Log.Has(QuiesceAbandoned).Should().BeTrue();
        rig.Device.Diary.Should().Equal(inCommand ? "asked Reset" : "asked ClientGone", "unmapping", "detached");
    }

    [Theory]
    [InlineData(true, false, ServedBy.OwnThread)]
    [InlineData(true, false, ServedBy.Poller)]
    [InlineData(true, true, ServedBy.OwnThread)]
    [InlineData(true, true, ServedBy.Poller)]
    [InlineData(false, false, ServedBy.OwnThread)]
    [InlineData(false, false, ServedBy.Poller)]
    [InlineData(false, true, ServedBy.OwnThread)]
    [InlineData(false, true, ServedBy.Poller)]
    public void An_answer_that_was_given_up_counts_for_the_next_server(bool atRest, bool whileServed, ServedBy by)
    {
        QuiescingDevice device = new();
        using LateAnswer answer = device.AnswerLater();
        using (QuiesceRig first = new(device))
        using (RawClient client = RawClient.Connect(first.Server.Address))
        {
            Served.Negotiate(client);
            first.Say(client, "reset");
            answer.ShouldBeAsked();
        }
        device.Forget();
        device.Answer = (_, _) => new(true);

        if (!whileServed)
            Answer();
        using QuiesceRig second = new(device, by);
        using RawClient next = RawClient.Connect(second.Server.Address);
        Served.Negotiate(next);
        next.ShouldBeServed();
        ushort id = second.Say(next, "map");
        if (whileServed)
            Answer();
        next.HearReply(id, Command.DmaMap).Header.Error.Should().Be(whileServed && !atRest ? (uint)Errno.EBUSY : 0u);

        string[] asked = ["asked DmaMap", "mapped", "resumed DmaMap"];
        device.Diary.Should().Equal((whileServed, atRest) switch
        {
            (false, true) => ["resumed Reset", "attached", .. asked],
            (false, false) => ["attached", .. asked],
            (true, true) => ["attached", "mapped", "resumed Reset"],
            (true, false) => ["attached"],
        });

        void Answer()
        {
            if (atRest)
                answer.Quiesced();
            else
                answer.IsBusy();
        }
    }

    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    public void The_token_of_a_waiting_quiesce_is_cancelled_by_a_stop(ServedBy by)
    {
        using QuiesceRig rig = new(by: by);
        using RawClient client = rig.Attach();
        using ManualResetEvent waiting = new(false);
        rig.Device.Answer = (reason, cancellation) =>
        {
            if (reason == QuiesceReason.ClientGone)
                return new(true);
            waiting.Set();
            cancellation.WaitHandle.ShouldBeSet();
            return new(false);
        };
        rig.Say(client, "reset");
        waiting.ShouldBeSet();

        rig.Server.Dispose();

        rig.Running.ShouldEnd();
        rig.Device.Diary.Should().Equal("asked Reset", "asked ClientGone", "unmapping", "detached", "resumed ClientGone");
    }
}

/// <summary>What a thread does that waits; a poller does not.</summary>
public sealed class QuiesceWarningTests
{
    private const int QuiesceWaits = 60;

    [Fact]
    public void A_long_wait_is_logged()
    {
        using QuiesceRig rig = new();
        using RawClient client = rig.Attach();
        using LateAnswer answer = rig.Device.AnswerLater();

        ushort id = rig.Say(client, "reset");
        SpinWait.SpinUntil(() => rig.Log.Has(QuiesceWaits), Wait.Bound).Should().BeTrue();
        rig.Device.Answer = (_, _) => new(true);
        answer.Quiesced();

        client.HearReply(id, Command.DeviceReset).ShouldBeGranted();
    }
}

/// <summary>Descriptors of commands that are dropped.</summary>
[Collection(OpenFds.Name)]
public sealed class QuiesceDescriptorTests
{
    [Fact]
    public void Disconnecting_before_the_device_is_quiesced_leaks_no_descriptor()
    {
        using QuiesceRig rig = new();
        LeaveInTheMiddle(rig); // what is made once is made
        OpenFds before = OpenFds.Now();

        for (int i = 0; i < 5; i++)
            LeaveInTheMiddle(rig);

        SpinWait.SpinUntil(() => before.More().Count == 0, Wait.Bound).Should().BeTrue("{0}", string.Join(", ", before.More()));
    }

    private static void LeaveInTheMiddle(QuiesceRig rig)
    {
        rig.Device.Answer = (_, _) => new(true);
        using RawClient client = rig.Attach();
        using LateAnswer answer = rig.Device.AnswerLater();
        using SafeFileHandle file = Files.Sealed(QuiesceRig.Page);
        client.Say(Command.DmaMap, QuiesceRig.Map(QuiesceRig.Fresh), MessageFlags.Command, file);
        answer.ShouldBeAsked();
        client.Dispose();
        answer.ShouldBeCancelled();
        rig.Device.Answer = (_, _) => new(true);
        answer.Quiesced();
        rig.ShouldTell("resumed DmaMap");
    }
}
