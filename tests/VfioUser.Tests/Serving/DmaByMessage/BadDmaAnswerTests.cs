using VfioUser.Protocol;

namespace VfioUser.Tests.Serving;

/// <summary>What a client may answer to a DMA request: the access fails, the log says what is wrong with the answer, and the session
/// lives on.</summary>
public sealed class BadDmaAnswerTests
{
    private static readonly DmaAccess Access = new(DmaSession.Memory, 4);

    public static TheoryData<string, byte[]> Answers => new()
    {
        { "too short", RawClient.Bytes(Access, 1, 2, 3) },
        { "too long", RawClient.Bytes(Access, 1, 2, 3, 4, 5) },
        { "no data", RawClient.Bytes(Access) },
        { "nothing", [] },
        { "half a structure", new byte[7] },
        { "another count", RawClient.Bytes(Access with { Count = 3 }, 1, 2, 3, 4) },
        { "another address", RawClient.Bytes(Access with { Address = Access.Address + 4 }, 1, 2, 3, 4) },
        { "far more than was asked for", RawClient.Bytes(Access with { Count = 1 << 20 }, new byte[1 << 20]) },
    };

    [Theory]
    [MemberData(nameof(Answers), DisableDiscoveryEnumeration = true)]
    public void An_answer_of_another_shape_fails_the_access(string what, byte[] answer)
    {
        foreach (bool twin in (bool[])[false, true])
        {
            using DmaSession session = new(twin);

            session.Client.SayBytes(DmaSession.Read(1, 0, 4));
            RawReply request = session.HearRead(0, 4);
            session.Back.Answer(request, answer);

            session.Client.HearReply(1, Command.RegionRead).ShouldBegin<RegionAccess>(out byte[] data);
            data.Should().Equal([DmaSession.Failed, DmaSession.Failed, DmaSession.Failed, DmaSession.Failed], "the answer was {0}", what);
            session.Client.ShouldBeServed();
            ShouldBeNamed(session, $"its reply to DmaRead (message {request.Header.MessageId}, {MessageHeader.WireSize + answer.Length} bytes)");
            session.Result.Should().Be(DmaStatus.BadReply);
        }
    }

    [Theory]
    [InlineData(false, Errno.ENODEV)] // QEMU's, when bus mastering is off
    [InlineData(true, Errno.ENODEV)]
    [InlineData(false, Errno.None)] // an error without a number
    [InlineData(false, (Errno)int.MaxValue)]
    public void An_error_fails_the_access(bool twin, Errno errno)
    {
        using DmaSession session = new(twin);

        session.Client.SayBytes(DmaSession.Read(1, 0, 1));
        RawReply request = session.HearRead(0, 1);
        session.Back.SayBytes(RawClient.Message(
            new MessageHeader(request.Header.MessageId, Command.DmaRead, MessageHeader.WireSize, MessageFlags.Reply | MessageFlags.Error, (uint)errno)));

        session.ShouldHaveRead(1, DmaSession.Failed);
        session.Client.ShouldBeServed();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void An_error_without_a_number_is_named(bool twin)
    {
        using DmaSession session = new(twin);

        session.Client.SayBytes(DmaSession.Read(1, 0, 1));
        RawReply request = session.HearRead(0, 1);
        session.Refuse(request, Errno.None);

        session.ShouldHaveRead(1, DmaSession.Failed);
        session.Result.Should().Be(DmaStatus.Refused);
        ShouldBeNamed(session, $"its reply to DmaRead (message {request.Header.MessageId}, 16 bytes) has the Error bit but no error number.");
    }

    public static TheoryData<byte[]> WriteAnswers =>
    [
        new byte[8],
        new byte[12], // of address and count in the specification's layout, both wrong
        new byte[16],
        RawClient.Bytes(Access with { Count = 3 }),
        RawClient.Bytes(Access with { Address = 0 }),
        RawClient.Bytes(Access, 1, 2, 3, 4), // as if it had been a read
    ];

    [Theory]
    [MemberData(nameof(WriteAnswers), DisableDiscoveryEnumeration = true)]
    public void An_answer_of_another_shape_fails_a_write(byte[] answer)
    {
        foreach (bool twin in (bool[])[false, true])
        {
            using DmaSession session = new(twin);

            session.Client.Say(Command.RegionWrite, RawClient.Bytes(new RegionAccess(0, ProbeDevice.Plain, 4), 1, 2, 3, 4));
            RawReply request = session.Back.HearCommand(Command.DmaWrite);
            session.Back.Answer(request, answer);

            session.Client.Hear().Header.Command.Should().Be(Command.RegionWrite);
            session.LastWrite.Should().BeFalse();
            session.Client.ShouldBeServed();
            ShouldBeNamed(session, $"its reply to DmaWrite (message {request.Header.MessageId}, {MessageHeader.WireSize + answer.Length} bytes)");
        }
    }

    [Fact]
    public void A_client_with_repeated_bad_replies_is_logged_once()
    {
        using DmaSession session = new(twin: false);

        for (ushort id = 1; id <= 3; id++)
        {
            session.Client.SayBytes(DmaSession.Read(id, 0, 1));
            session.Answer(session.HearRead(0, 1));
            session.ShouldHaveRead(id, DmaSession.Failed);
        }

        session.Served.Log.Entries.Where(entry => entry.Id == CapturedLog.DmaReplyMalformed).Should().ContainSingle();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void An_answer_with_descriptors_keeps_none_of_them(bool twin)
    {
        using DmaSession session = new(twin);
        using EventFd eventFd = new();

        session.Client.SayBytes(DmaSession.Read(1, 0, 1));
        RawReply request = session.HearRead(0, 1);
        session.Back.SayBytes(
            RawClient.Message(request.Header.MessageId, Command.DmaRead, RawClient.Bytes(Access with { Count = 1 }, 9), MessageFlags.Reply), eventFd.Handle);

        session.Client.HearReply(1, Command.RegionRead);
        session.Client.ShouldBeServed();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void An_answer_to_something_else_is_none(bool twin)
    {
        using DmaSession session = new(twin);

        session.Client.SayBytes(DmaSession.Read(1, 0, 1));
        RawReply request = session.HearRead(0, 1);
        byte[] answer = RawClient.Bytes(Access with { Count = 1 }, 9);
        session.Back.SayBytes(RawClient.Message((ushort)(request.Header.MessageId + 1), Command.DmaRead, answer, MessageFlags.Reply));
        session.Back.SayBytes(RawClient.Message(request.Header.MessageId, Command.DmaWrite, answer, MessageFlags.Reply));
        session.Answer(request, 5);

        session.ShouldHaveRead(1, 5);
        session.Client.ShouldBeServed();
        session.Served.Log.Has(CapturedLog.ReplyDropped).Should().BeTrue();
        ShouldBeNamed(session, $"its reply to DmaRead (message {request.Header.MessageId}, 33 bytes) is a reply to DmaWrite.");
    }

    [Fact]
    public void Garbage_on_the_twin_socket_fails_the_access_and_later_ones()
    {
        using DmaSession session = new(twin: true);

        session.Client.SayBytes(DmaSession.Read(1, 0, 1));
        session.HearRead(0, 1);
        session.Back.SayBytes(RawClient.Message(new MessageHeader(1, Command.DmaRead, 3, MessageFlags.Reply, 0)));

        session.ShouldHaveRead(1, DmaSession.Failed);
        session.Client.SayBytes(DmaSession.Read(2, 0, 1));
        session.ShouldHaveRead(2, DmaSession.Failed);
        session.Client.ShouldBeServed();
    }

    [Fact]
    public void A_twin_socket_that_was_closed_fails_the_access_and_later_ones()
    {
        using DmaSession session = new(twin: true);

        session.Client.SayBytes(DmaSession.Read(1, 0, 1));
        session.HearRead(0, 1);
        session.Back.Dispose();

        session.ShouldHaveRead(1, DmaSession.Failed);
        session.Client.SayBytes(DmaSession.Read(2, 0, 1));
        session.ShouldHaveRead(2, DmaSession.Failed);
        session.Client.ShouldBeServed();
    }

    private static void ShouldBeNamed(DmaSession session, string problem) =>
        session.Served.Log.Entries.Where(entry => entry.Id == CapturedLog.DmaReplyMalformed).Should().ContainSingle()
            .Which.Text.Should().StartWith("The client violated the protocol: " + problem);
}
