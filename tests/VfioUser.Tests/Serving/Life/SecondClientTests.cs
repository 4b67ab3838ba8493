using System.Globalization;
using System.Text;
using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;

namespace VfioUser.Tests.Serving;

/// <summary>Clients that come while another one is there.</summary>
public sealed class SecondClientTests
{
    private const int Busy = 93;

    private static readonly string Reason = string.Create(CultureInfo.InvariantCulture, $"the device is in use by process {Environment.ProcessId}");

    private static RawReply Propose(RawClient client) => client.Ask(Command.Version, Served.Version(0, 0, Served.QemuProposal));

    private static void ShouldBeTurnedAway(RawClient client)
    {
        RawReply reply = Propose(client);
        reply.Header.IsError.Should().BeTrue();
        reply.Header.Error.Should().Be((uint)Errno.EBUSY);
        client.ShouldHearTheEnd();
    }

    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    public void A_second_client_gets_EBUSY_with_the_process_that_uses_the_device(ServedBy by)
    {
        using Served served = Served.Start(by, new ProbeDevice());
        using RawClient first = served.Attach();
        using RawClient second = served.Connect();

        RawReply reply = Propose(second);

        reply.Header.IsError.Should().BeTrue();
        reply.Header.Error.Should().Be((uint)Errno.EBUSY);
        Encoding.UTF8.GetString(reply.Payload[ProtocolVersion.WireSize..]).Should().Be($$"""{"error":"{{Reason}}"}""" + "\0");
        second.ShouldHearTheEnd();
        first.ShouldBeServed();
        served.Log.Entries.Should().Contain(entry => entry.Id == Busy && entry.Text.Contains(Reason, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    public void A_client_that_connects_while_another_negotiates_gets_EBUSY(ServedBy by)
    {
        using Served served = Served.Start(by, new ProbeDevice());
        using RawClient first = served.Connect();
        using RawClient second = served.Connect();

        ShouldBeTurnedAway(second);

        Served.Negotiate(first);
        first.ShouldBeServed();
    }

    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    public void A_client_that_has_sent_a_part_of_a_message_keeps_no_other_waiting(ServedBy by)
    {
        using Served served = Served.Start(by, new ProbeDevice());
        using RawClient first = served.Attach();
        first.SayBytes([1, 0, 9, 0, 32]);
        using RawClient second = served.Connect();

        ShouldBeTurnedAway(second);
    }

    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    public void A_client_that_has_sent_a_part_of_its_proposal_keeps_no_other_waiting(ServedBy by)
    {
        using Served served = Served.Start(by, new ProbeDevice());
        using RawClient first = served.Connect();
        first.SayBytes([1, 0, 1, 0, 32]);
        using RawClient second = served.Connect();

        ShouldBeTurnedAway(second);
    }

    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    public void A_client_that_connects_while_the_device_is_busy_gets_EBUSY(ServedBy by)
    {
        using ManualResetEventSlim goOn = new();
        ProbeDevice device = new() { Read = (_, _) => goOn.Wait(Wait.Bound) };
        using Served served = Served.Start(by, device);
        using RawClient first = served.Attach();
        ushort id = first.Say(Command.RegionRead, new RegionAccess(0, ProbeDevice.Plain, 4));
        using RawClient second = served.Connect();
        ushort proposal = second.Say(Command.Version, Served.Version(0, 0, Served.QemuProposal));
        // in poll mode nobody looks while the device's code has the loop
        if (by == ServedBy.Poller)
            goOn.Set();

        second.HearReply(proposal, Command.Version).Header.Error.Should().Be((uint)Errno.EBUSY);

        goOn.Set();
        first.HearReply(id, Command.RegionRead).Header.IsError.Should().BeFalse();
    }

    /// <summary>The device may need a while to let go of a client that has gone: whoever follows waits that long.</summary>
    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    public void A_client_that_connects_while_another_disconnects_is_served(ServedBy by)
    {
        using ManualResetEventSlim gone = new();
        ProbeDevice device = new();
        device.Happened = what =>
        {
            // two looks at the leaver pass meanwhile
            if (what is "detached")
                gone.Wait(TimeSpan.FromMilliseconds(300));
        };
        using Served served = Served.Start(by, device, new VfioUserServerOptions { BusyAfter = TimeSpan.FromMilliseconds(100) });
        RawClient first = served.Attach();
        first.Dispose();
        using RawClient second = served.Connect();

        Served.Negotiate(second);

        second.ShouldBeServed();
    }

    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    public void Each_of_many_gets_EBUSY_and_the_next_one_after_the_first_is_served(ServedBy by)
    {
        using Served served = Served.Start(by, new ProbeDevice());
        using (RawClient first = served.Attach())
        {
            List<RawClient> others = [.. Enumerable.Range(0, 12).Select(_ => served.Connect())];
            ushort[] ids = [.. others.Select(other => other.Say(Command.Version, Served.Version(0, 0, Served.QemuProposal)))];
            for (int i = 0; i < ids.Length; i++)
                others[i].HearReply(ids[i], Command.Version).Header.Error.Should().Be((uint)Errno.EBUSY);
            others.ForEach(other => other.Dispose());
            first.ShouldBeServed();
        }

        using RawClient next = served.Attach();
        next.ShouldBeServed();
    }

    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    public void A_silent_second_client_is_disconnected_and_does_not_block_others(ServedBy by)
    {
        using Served served = Served.Start(by, new ProbeDevice());
        using RawClient first = served.Attach();
        List<RawClient> silent = [.. Enumerable.Range(0, 3).Select(_ => served.Connect())];
        using RawClient behind = served.Connect();

        ShouldBeTurnedAway(behind);

        silent.ForEach(client => client.ShouldHearTheEnd());
        silent.ForEach(client => client.Dispose());
        first.ShouldBeServed();
    }

    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    public void A_refusal_is_never_longer_than_the_proposal(ServedBy by)
    {
        using Served served = Served.Start(by, new ProbeDevice());
        using RawClient first = served.Attach();
        using RawClient second = served.Connect();

        RawReply reply = second.Ask(Command.Version, RawClient.Bytes(new ProtocolVersion(0, 0)));

        reply.Header.Error.Should().Be((uint)Errno.EBUSY);
        reply.Payload.Should().BeEmpty();
    }

    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    public void A_server_that_checks_peers_does_not_name_the_process(ServedBy by)
    {
        using Served served = Served.Start(by, new ProbeDevice(), new VfioUserServerOptions { AcceptPeer = _ => true });
        using RawClient first = served.Attach();
        using RawClient second = served.Connect();

        RawReply reply = Propose(second);

        reply.Header.Error.Should().Be((uint)Errno.EBUSY);
        Encoding.UTF8.GetString(reply.Payload).Should().Contain("by another client").And.NotContain("process");
    }

    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    public void The_server_ends_while_others_wait(ServedBy by)
    {
        Served served = Served.Start(by, new ProbeDevice());
        using RawClient first = served.Attach();
        using RawClient second = served.Connect();
        second.Say(Command.Version, Served.Version(0, 0, Served.QemuProposal));

        served.Dispose();

        first.ShouldHearTheEnd();
        while (HearsMore(second))
        {
        }
    }

    // a connection that was closed with something unread is reset
    internal static bool HearsMore(RawClient client)
    {
        try
        {
            return client.TryHear() is not null;
        }
        catch (IOException)
        {
            return false;
        }
    }
}

/// <summary>What a client that waits can do to a server: nothing.</summary>
[Collection(OpenFds.Name)]
public sealed class HostileSecondClientTests
{
    [Trait("Category", "Long")]
    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    public void Hostile_second_client_leaves_the_session_alone_and_nothing_open(ServedBy by)
    {
        using ProbeDevice device = new();
        using (Served warm = Served.Start(by, device))
            warm.Attach().Dispose();
        OpenFds before = OpenFds.Now();
        using (Served served = Served.Start(by, device))
        {
            using RawClient first = served.Attach();
            using SafeFileHandle file = Files.Sealed(0x1000);
            byte[] proposal = RawClient.Message(7, Command.Version, Served.Version(0, 0, Served.QemuProposal));
            List<Action<RawClient>> tricks =
            [
                client => client.SayBytes(new byte[16]),
                client => client.SayBytes(proposal.AsSpan(0, 9)),
                client => client.SayBytes(proposal.AsSpan(0, 40)),
                client => client.SayBytes(proposal, file, file, file),
                client => client.Say(Command.DeviceReset),
                client => client.Say(Command.Version, Served.Version(0, 0, Served.QemuProposal), MessageFlags.NoReply),
                client => client.SayBytes(RawClient.Message(1, Command.Version, default, MessageFlags.Reply)),
                client => client.SayBytes(RawClient.Message(new MessageHeader(1, Command.Version, uint.MaxValue, MessageFlags.Command, 0))),
                client => client.StopTalking(),
                client => client.SayBytes([.. proposal, .. proposal, .. proposal]),
            ];
            foreach (Action<RawClient> trick in tricks)
            {
                using RawClient client = served.Connect();
                trick(client);
                while (SecondClientTests.HearsMore(client))
                {
                }
                first.ShouldBeServed();
            }
        }

        before.More().Should().BeEmpty();
    }
}
