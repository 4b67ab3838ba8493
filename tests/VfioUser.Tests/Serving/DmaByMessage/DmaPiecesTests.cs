using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser.Tests.Serving;

/// <summary>An access of more than one message may transfer: cut into pieces, several of them under way.</summary>
public sealed class DmaPiecesTests
{
    private const int Piece = 32 << 10;
    private const int InFlight = 4;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void The_limit_of_pieces_is_in_flight_at_once_and_replies_come_in_any_order(bool twin)
    {
        using DmaSession session = new(twin);
        byte[] memory = Pattern((6 * Piece) + 1);
        byte[] destination = new byte[memory.Length];
        Task<DmaResult> read = Wait.Start(() => session.Device.Dma.TryRead(new Iova(DmaSession.Memory), destination));

        List<RawReply> asked = [.. Enumerable.Range(0, InFlight).Select(i => session.HearRead((ulong)(i * Piece), Piece))];
        session.Client.ShouldBeServed(); // and nothing more was asked for
        foreach (RawReply request in asked.AsEnumerable().Reverse())
            Answer(session, request, memory);
        Answer(session, session.HearRead(4 * Piece, Piece), memory);
        Answer(session, session.HearRead(5 * Piece, Piece), memory);
        Answer(session, session.HearRead(6 * Piece, 1), memory); // one byte more than whole pieces

        read.ShouldGive(DmaStatus.Done);
        destination.AsSpan().SequenceEqual(memory).Should().BeTrue();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_write_is_cut_in_the_same_way(bool twin)
    {
        using DmaSession session = new(twin);
        byte[] source = Pattern((5 * Piece) + 7);
        byte[] memory = new byte[source.Length];
        Task<DmaResult> write = Wait.Start(() => session.Device.Dma.TryWrite(new Iova(DmaSession.Memory), source));

        List<RawReply> asked = [.. Enumerable.Range(0, InFlight).Select(_ => session.Back.HearCommand(Command.DmaWrite))];
        session.Client.ShouldBeServed();
        for (int i = asked.Count - 1; i >= 0; i--)
            Store(session, asked[i], memory);
        Store(session, session.Back.HearCommand(Command.DmaWrite), memory);
        Store(session, session.Back.HearCommand(Command.DmaWrite), memory);

        write.ShouldGive(DmaStatus.Done);
        memory.AsSpan().SequenceEqual(source).Should().BeTrue();
    }

    [Theory]
    [InlineData(false, 1)]
    [InlineData(true, 1)]
    [InlineData(false, 3)]
    public void How_much_and_how_many_are_options(bool twin, int inFlight)
    {
        using DmaSession session = new(twin, new VfioUserServerOptions { DmaTimeout = Wait.Bound, MaxDmaTransfer = 1000, MaxDmaInFlight = inFlight });
        byte[] memory = Pattern(5500);
        byte[] destination = new byte[memory.Length];
        Task<DmaResult> read = Wait.Start(() => session.Device.Dma.TryRead(new Iova(DmaSession.Memory), destination));

        Queue<RawReply> asked = [];
        for (int piece = 0; piece < 6; piece++)
        {
            asked.Enqueue(session.HearRead((ulong)(piece * 1000), piece < 5 ? 1000u : 500u));
            if (asked.Count < inFlight)
                continue;
            session.Client.ShouldBeServed(); // and nothing more is asked for
            Answer(session, asked.Dequeue(), memory);
        }
        while (asked.TryDequeue(out RawReply? request))
            Answer(session, request, memory);

        read.ShouldGive(DmaStatus.Done);
        destination.Should().Equal(memory);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void One_at_a_time_holds_for_all_threads_of_the_device(bool twin)
    {
        using DmaSession session = new(twin, new VfioUserServerOptions { DmaTimeout = Wait.Bound, MaxDmaInFlight = 1 });
        Task<DmaResult>[] reads = [.. Enumerable.Range(0, 4).Select(i =>
            Wait.Start(() => session.Device.Dma.TryRead(new Iova(DmaSession.Memory + (uint)i), out byte _)))];

        for (int i = 0; i < reads.Length; i++)
        {
            RawReply request = session.Back.HearCommand(Command.DmaRead);
            session.Client.ShouldBeServed(); // and no second one is there
            session.Answer(request, 1);
        }

        foreach (Task<DmaResult> read in reads)
            read.ShouldGive(DmaStatus.Done);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_piece_that_is_refused_fails_the_access_once_the_others_are_answered(bool twin)
    {
        using DmaSession session = new(twin);
        byte[] destination = Pattern(10 * Piece);
        Task<DmaResult> read = Wait.Start(() => session.Device.Dma.TryRead(new Iova(DmaSession.Memory), destination));

        List<RawReply> asked = [.. Enumerable.Range(0, InFlight).Select(i => session.HearRead((ulong)(i * Piece), Piece))];
        session.Refuse(asked[1], Errno.ENODEV);
        Answer(session, asked[0], new byte[10 * Piece]);
        RawReply next = session.HearRead(4 * Piece, Piece);
        foreach (RawReply request in (RawReply[])[asked[3], next])
            Answer(session, request, new byte[10 * Piece]);
        read.IsCompleted.Should().BeFalse("a piece is under way");
        Answer(session, asked[2], new byte[10 * Piece]);

        read.ShouldGive(DmaStatus.Refused);
        destination.Should().OnlyContain(value => value == 0);
        session.Client.ShouldBeServed(); // nothing more is asked for
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Late_replies_to_pieces_do_not_answer_other_calls(bool twin)
    {
        using DmaSession session = new(twin, new VfioUserServerOptions { DmaTimeout = TimeSpan.FromMilliseconds(100) });
        byte[] destination = new byte[3 * Piece];
        Task<DmaResult> read = Wait.Start(() => session.Device.Dma.TryRead(new Iova(DmaSession.Memory), destination));
        List<RawReply> late = [.. Enumerable.Range(0, 3).Select(i => session.HearRead((ulong)(i * Piece), Piece))];
        read.ShouldGive(DmaStatus.TimedOut);

        Task<DmaResult> again = Wait.Start(() => session.Device.Dma.TryRead(new Iova(DmaSession.Memory), destination));
        List<RawReply> asked = [.. Enumerable.Range(0, 3).Select(i => session.HearRead((ulong)(i * Piece), Piece))];
        asked.Select(request => request.Header.MessageId).Should().NotIntersectWith(late.Select(request => request.Header.MessageId));
        foreach (RawReply request in late)
            Answer(session, request, Pattern(3 * Piece));

        again.ShouldGive(DmaStatus.TimedOut);
        destination.Should().OnlyContain(value => value == 0);
        session.Client.ShouldBeServed();
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    public void A_client_that_answers_with_one_write_that_does_not_wait_loses_nothing(bool twin, bool slowly)
    {
        using DmaSession session = new(twin);
        byte[] memory = Pattern(1 << 20);
        byte[] destination = new byte[memory.Length];
        Task<DmaResult> read = Wait.Start(() =>
        {
            DmaResult result = DmaResult.Done;
            for (int i = 0; i < 4 && result; i++)
            {
                destination.AsSpan().Clear();
                result = session.Device.Dma.TryRead(new Iova(DmaSession.Memory), destination);
            }
            return result;
        });

        AnswerAsQemu(session, memory, answers: 4 * (1 << 20) / Piece, together: slowly ? InFlight : 1);

        read.ShouldGive(DmaStatus.Done);
        destination.AsSpan().SequenceEqual(memory).Should().BeTrue();
    }

    [Fact]
    public void An_answer_that_the_client_cuts_off_is_no_data()
    {
        using DmaSession session = new(twin: false, new VfioUserServerOptions { MaxDmaTransfer = 1 << 20, DmaTimeout = Wait.Bound });
        byte[] destination = new byte[1 << 20];
        Task<DmaResult> read = Wait.Start(() => session.Device.Dma.TryRead(new Iova(DmaSession.Memory), destination));
        RawReply request = session.HearRead(0, 1 << 20);
        byte[] answer = Message(request, destination);

        // QEMU writes once, and what the socket has no room for is lost: with the default limit on transfers there is room
        SocketCalls.Send(session.Client.Socket, answer.AsSpan(0, 1 << 16), default, [], Libc.MsgDontWait).Should().BePositive();
        session.Client.Dispose();

        read.ShouldGive(DmaStatus.Disconnected);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData((1 << 20) + 1)]
    public void A_transfer_that_no_message_has_is_refused(int bytes) =>
        FluentActions.Invoking(() => new VfioUserServerOptions { MaxDmaTransfer = bytes }).Should().Throw<ArgumentOutOfRangeException>();

    [Theory]
    [InlineData(0)]
    [InlineData(257)]
    public void A_number_that_cannot_be_under_way_is_refused(int messages) =>
        FluentActions.Invoking(() => new VfioUserServerOptions { MaxDmaInFlight = messages }).Should().Throw<ArgumentOutOfRangeException>();

    private static byte[] Pattern(int length)
    {
        byte[] bytes = new byte[length];
        new Random(length).NextBytes(bytes);
        return bytes;
    }

    private static void Answer(DmaSession session, RawReply request, byte[] memory)
    {
        DmaAccess access = WireFormat.Read<DmaAccess>(request.Payload);
        session.Answer(request, memory.AsSpan((int)(access.Address - DmaSession.Memory), (int)access.Count));
    }

    private static void Store(DmaSession session, RawReply request, byte[] memory)
    {
        DmaAccess access = WireFormat.Read<DmaAccess>(request.Payload);
        request.Payload.Should().HaveCount(DmaAccess.WireSize + (int)access.Count);
        request.Payload.AsSpan(DmaAccess.WireSize).CopyTo(memory.AsSpan((int)(access.Address - DmaSession.Memory)));
        session.Back.Answer(request, request.Payload.AsSpan(0, DmaAccess.WireSize));
    }

    private static byte[] Message(RawReply request, ReadOnlySpan<byte> data) => RawClient.Message(request.Header.MessageId, request.Header.Command,
        RawClient.Bytes(WireFormat.Read<DmaAccess>(request.Payload), data), MessageFlags.Reply);

    // As hw/vfio-user/proxy.c does: an answer is tried again later when nothing of it went, and is done with when something did.
    private static void AnswerAsQemu(DmaSession session, byte[] memory, int answers, int together)
    {
        while (answers > 0)
        {
            List<RawReply> asked = [.. Enumerable.Range(0, together).Select(_ => session.Back.HearCommand(Command.DmaRead))];
            answers -= together;
            foreach (RawReply request in asked)
            {
                DmaAccess access = WireFormat.Read<DmaAccess>(request.Payload);
                byte[] answer = Message(request, memory.AsSpan((int)(access.Address - DmaSession.Memory), (int)access.Count));
                int sent;
                while ((sent = SocketCalls.Send(session.Back.Socket, answer, default, [], Libc.MsgDontWait)) == -(int)Errno.EAGAIN)
                    PollCalls.WaitWritable(session.Back.Socket, (int)Wait.Bound.TotalMilliseconds).Should().BeTrue();
                sent.Should().Be(answer.Length, "the rest would never come");
            }
        }
    }
}
