using System.Net.Sockets;
using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;
using VfioUser.Tests.Serving;

namespace VfioUser.Tests.Quiesce;

/// <summary>Sessions that are run without waiting: a device that takes its time must not hold up the thread.</summary>
public sealed class QuiescePollingTests
{
    public static TheoryData<string> Commands => QuiesceTests.Commands;

    [Theory]
    [MemberData(nameof(Commands))]
    public void The_command_continues_when_the_quiesce_completes(string what)
    {
        using Polled polled = new();
        using LateAnswer answer = polled.Device.AnswerLater();
        string asked = $"asked {QuiesceRig.ReasonOf(what)}";

        ushort first = polled.Say(what);
        polled.RunUntilPending();
        for (int i = 0; i < 3; i++)
            polled.Step().Should().BeTrue();
        polled.Device.Diary.Should().EndWith(asked);
        PollCalls.WaitReadable(polled.Session.Quiescence.Descriptor!, 0).Should().BeFalse();
        polled.Device.Answer = (_, _) => new(true);
        answer.Quiesced();
        PollCalls.WaitReadable(polled.Session.Quiescence.Descriptor!, 30_000).Should().BeTrue();
        polled.Run();

        polled.Client.HearReply(first, QuiesceRig.CommandOf(what)).Header.Error.Should().Be(0u);
        polled.Session.Quiescence.Descriptor.Should().BeNull();
        polled.Device.Diary.Where(entry => !entry.StartsWith("resumed", StringComparison.Ordinal))
            .Should().Equal(what is "flr by multi"
                ? ["written 1", asked, .. QuiesceRig.CallsOf(what), "written 2"] // each write once
                : [asked, .. QuiesceRig.CallsOf(what)]);
        polled.Device.Diary.Count(entry => entry.StartsWith("resumed", StringComparison.Ordinal)).Should().Be(what is "stop" ? 0 : 1);
    }

    [Theory]
    [InlineData("map", false)]
    [InlineData("map", true)]
    [InlineData("flr by multi", false)]
    public void The_command_is_refused_when_the_device_cannot(string what, bool fails)
    {
        using Polled polled = new();
        using LateAnswer answer = polled.Device.AnswerLater();

        ushort id = polled.Say(what);
        polled.RunUntilPending();
        if (fails)
            answer.Fails(new InvalidOperationException("stuck"));
        else
            answer.IsBusy();
        polled.Run();

        polled.Client.HearReply(id, QuiesceRig.CommandOf(what)).ShouldBeRefused(fails ? Errno.EIO : Errno.EBUSY);
        polled.Device.Answer = (_, _) => new(true);
        id = polled.Say("reset");
        polled.Run();
        polled.Client.HearReply(id, Command.DeviceReset).ShouldBeGranted();
    }

    [Fact]
    public void Descriptors_of_the_command_are_kept_until_it_continues()
    {
        using Polled polled = new();
        using LateAnswer answer = polled.Device.AnswerLater();
        using (SafeFileHandle file = Files.Sealed(QuiesceRig.Page))
            polled.Client.Say(Command.DmaMap, QuiesceRig.Map(QuiesceRig.Fresh), MessageFlags.Command, file);

        polled.RunUntilPending();
        answer.Quiesced();
        polled.Device.Answer = (_, _) => new(true);
        polled.Run();

        polled.Device.Dma.Regions.Should().Contain(new DmaRegion(new Iova(QuiesceRig.Fresh), QuiesceRig.Page, true, true, DmaBacking.Mapped));
    }

    [Fact]
    public void Commands_received_in_one_piece_wait_for_the_quiesce()
    {
        using Polled polled = new();
        using LateAnswer answer = polled.Device.AnswerLater();
        byte[] write = RawClient.Message(1, Command.RegionWrite, RawClient.Bytes(new RegionAccess(0, (uint)RegionIndex.Bar0, 4), [9, 0, 0, 0]), MessageFlags.NoReply);

        polled.Client.SayBytes([.. write, .. RawClient.Message(2, Command.DeviceReset), .. write]);
        polled.RunUntilPending();
        polled.Device.Diary.Should().Equal("written 9", "asked Reset");
        answer.Quiesced();
        polled.Device.Answer = (_, _) => new(true);
        polled.Run();

        polled.Device.Diary.Should().Equal("written 9", "asked Reset", "reset ClientRequested", "resumed Reset", "written 9");
    }

    [Fact]
    public void A_client_that_leaves_is_noticed_and_the_session_ends_when_the_device_has_answered()
    {
        using Polled polled = new();
        using LateAnswer answer = polled.Device.AnswerLater();

        polled.Say("reset");
        polled.RunUntilPending();
        polled.Client.Dispose();
        polled.Step().Should().BeTrue();
        answer.ShouldBeCancelled();
        polled.Step().Should().BeTrue();
        answer.Quiesced();

        polled.Step().Should().BeFalse();
        polled.Session.Quiescence.TryLeave().Should().BeTrue();
        polled.Dispose();
        polled.Device.Diary.Should().Equal("asked Reset", "unmapping", "detached", "resumed Reset");
    }

    [Fact]
    public void A_session_that_is_over_can_be_left_without_waiting()
    {
        using Polled polled = new();
        using LateAnswer answer = polled.Device.AnswerLater();
        polled.Client.Dispose();
        polled.Step().Should().BeFalse();

        polled.Session.Quiescence.TryLeave().Should().BeFalse();
        polled.Session.Quiescence.TryLeave().Should().BeFalse();
        polled.Device.Diary.Should().Equal("asked ClientGone");
        answer.Quiesced();
        PollCalls.WaitReadable(polled.Session.Quiescence.Descriptor!, 30_000).Should().BeTrue();

        polled.Session.Quiescence.TryLeave().Should().BeTrue();
        polled.Dispose();
        polled.Device.Diary.Should().Equal("asked ClientGone", "unmapping", "detached", "resumed ClientGone");
    }

    [Fact]
    public void A_device_that_does_not_care_costs_no_memory()
    {
        using Polled polled = new(new OddDevice(_ => { }));
        Come(polled.Session.Quiescence); // what is made once is made

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
            Come(polled.Session.Quiescence);

        (GC.GetAllocatedBytesForCurrentThread() - before).Should().Be(0);

        static void Come(Quiescence quiescence)
        {
            if (quiescence.Quiesce(QuiesceReason.Reset, Command.DeviceReset) is not { IsNone: true })
                throw new InvalidOperationException("It is quiesced at once.");
            quiescence.Resume();
        }
    }

    /// <summary>A session on the test's own thread.</summary>
    private sealed class Polled : IDisposable
    {
        private readonly PciDevice _device;
        private readonly MessageChannel _channel;
        private bool _disposed;

        public Polled(PciDevice? device = null)
        {
            _device = device ?? Device;
            (SafeSocketHandle serverEnd, SafeSocketHandle clientEnd) = SocketCalls.CreatePair();
            _channel = new MessageChannel(new MessageSocket(serverEnd));
            Client = new RawClient(clientEnd);
            _device.BeginServing(Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance, registerMap: false);
            Client.Say(Command.Version, Served.Version(0, 0, Served.QemuProposal));
            ServerRun run = new(_device, new VfioUserServerOptions(), new ServerLog(new CapturedLog()), new ServingStatus(), Turn: null, CancellationToken.None);
            Handshake handshake = new(run, _channel, default);
            handshake.Step().Should().BeTrue();
            Session = handshake.Session!;
            Client.Hear().Header.Error.Should().Be(0u);
            using SafeFileHandle file = Files.Sealed(QuiesceRig.Page);
            Client.Say(Command.DmaMap, QuiesceRig.Map(QuiesceRig.Mapped), MessageFlags.Command, file);
            Run();
            Client.Hear().Header.Error.Should().Be(0u);
            Device.Forget();
        }

        public QuiescingDevice Device { get; } = new();

        public RawClient Client { get; }

        public Session Session { get; }

        public ushort Say(string what) => QuiesceRig.Say(Device, Client, what);

        public void RunUntilPending()
        {
            while (!Session.Quiescence.IsPending)
                Step().Should().BeTrue();
        }

        /// <returns>False when the client has gone.</returns>
        public bool Step()
        {
            int budget = int.MaxValue;
            return Session.Step(ref budget);
        }

        /// <summary>Runs until something was done.</summary>
        public void Run()
        {
            int budget = int.MaxValue;
            while (Session.Step(ref budget) && budget == int.MaxValue)
            {
            }
        }

        public void Dispose()
        {
            if (_disposed)
                return;
            _disposed = true;
            Session.Dispose();
            Client.Dispose();
            _channel.Dispose();
            _device.EndServing();
        }
    }
}
