using VfioUser.Protocol;

namespace VfioUser.Tests.Serving;

/// <summary>What a client may answer to a DMA request: the access fails, and the session lives on.</summary>
public class BadDmaAnswerTests : ServedTests
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
        { "far more than was asked for", RawClient.Bytes(Access with { Count = 1 << 20 }, new byte[1 << 20]) },
    };

    [Theory]
    [MemberData(nameof(Answers), DisableDiscoveryEnumeration = true)]
    public void An_answer_of_another_shape_fails_the_access(string what, byte[] answer)
    {
        foreach (bool twin in (bool[])[false, true])
        {
            using DmaSession session = new(By, twin);

            session.Client.SayBytes(DmaSession.Read(1, 0, 4));
            session.Back.Answer(session.HearRead(0, 4), answer);

            session.Client.HearReply(1, Command.RegionRead).ShouldBegin<RegionAccess>(out byte[] data);
            data.Should().Equal([DmaSession.Failed, DmaSession.Failed, DmaSession.Failed, DmaSession.Failed], "the answer was {0}", what);
            session.Client.ShouldBeServed();
        }
    }

    [Theory]
    [InlineData(false, Errno.ENODEV)] // QEMU's, when bus mastering is off
    [InlineData(true, Errno.ENODEV)]
    [InlineData(false, Errno.None)] // an error without a number
    [InlineData(false, (Errno)int.MaxValue)]
    public void An_error_fails_the_access(bool twin, Errno errno)
    {
        using DmaSession session = new(By, twin);

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
    public void An_answer_with_descriptors_keeps_none_of_them(bool twin)
    {
        using DmaSession session = new(By, twin);
        using EventFd eventFd = new();

        session.Client.SayBytes(DmaSession.Read(1, 0, 1));
        RawReply request = session.HearRead(0, 1);
        session.Back.SayBytes(
            RawClient.Message(request.Header.MessageId, Command.DmaRead, RawClient.Bytes(Access with { Count = 1 }, 9), MessageFlags.Reply), eventFd.Handle);

        session.Client.HearReply(1, Command.RegionRead);
        session.Client.ShouldBeServed();
    }

    [Fact]
    public void An_answer_to_something_else_is_none()
    {
        using DmaSession session = new(By, twin: false);

        session.Client.SayBytes(DmaSession.Read(1, 0, 1));
        RawReply request = session.HearRead(0, 1);
        byte[] answer = RawClient.Bytes(Access with { Count = 1 }, 9);
        session.Client.SayBytes(RawClient.Message((ushort)(request.Header.MessageId + 1), Command.DmaRead, answer, MessageFlags.Reply));
        session.Client.SayBytes(RawClient.Message(request.Header.MessageId, Command.DmaWrite, answer, MessageFlags.Reply));
        session.Answer(request, 5);

        session.ShouldHaveRead(1, 5);
        session.Client.ShouldBeServed();
    }

    [Fact]
    public void Garbage_on_the_twin_socket_fails_the_access_and_later_ones()
    {
        using DmaSession session = new(By, twin: true);

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
        using DmaSession session = new(By, twin: true);

        session.Client.SayBytes(DmaSession.Read(1, 0, 1));
        session.HearRead(0, 1);
        session.Back.Dispose();

        session.ShouldHaveRead(1, DmaSession.Failed);
        session.Client.SayBytes(DmaSession.Read(2, 0, 1));
        session.ShouldHaveRead(2, DmaSession.Failed);
        session.Client.ShouldBeServed();
    }
}
