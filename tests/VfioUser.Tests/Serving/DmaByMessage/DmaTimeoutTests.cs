using VfioUser.Protocol;

namespace VfioUser.Tests.Serving;

/// <summary>Clients that do not answer, or not in time, or go away.</summary>
public sealed class DmaTimeoutTests
{
    private static readonly VfioUserServerOptions Impatient = new() { DmaTimeout = TimeSpan.FromMilliseconds(100) };

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void An_access_that_is_not_answered_fails_and_the_session_lives_on(bool twin)
    {
        using DmaSession session = new(twin, Impatient);

        session.Client.SayBytes(DmaSession.Read(1, 0, 1));
        session.HearRead(0, 1);

        session.ShouldHaveRead(1, DmaSession.Failed);
        session.Client.ShouldBeServed();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_late_answer_is_ignored(bool twin)
    {
        using DmaSession session = new(twin, Impatient);

        session.Client.SayBytes(DmaSession.Read(1, 0, 1));
        RawReply late = session.HearRead(0, 1);
        session.ShouldHaveRead(1, DmaSession.Failed);
        session.Answer(late, 7);

        session.Client.ShouldBeServed();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Several_late_answers_are_ignored(bool twin)
    {
        using DmaSession session = new(twin, Impatient);
        List<RawReply> late = [];
        for (ushort id = 1; id <= 3; id++)
        {
            session.Client.SayBytes(DmaSession.Read(id, 0, 1));
            late.Add(session.HearRead(0, 1));
            session.ShouldHaveRead(id, DmaSession.Failed);
        }

        foreach (RawReply request in late)
            session.Answer(request, 7);

        session.Client.ShouldBeServed();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_late_answer_is_not_taken_for_the_next_one(bool twin)
    {
        using DmaSession session = new(twin, Impatient);
        session.Client.SayBytes(DmaSession.Read(1, 0, 1));
        RawReply late = session.HearRead(0, 1);
        session.ShouldHaveRead(1, DmaSession.Failed);

        session.Client.SayBytes(DmaSession.Read(2, 4, 1));
        session.HearRead(4, 1).Header.MessageId.Should().NotBe(late.Header.MessageId);
        session.Answer(late, 7);

        session.ShouldHaveRead(2, DmaSession.Failed);
        session.Client.ShouldBeServed();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_client_that_vanishes_fails_the_access_promptly(bool twin)
    {
        using DmaSession session = new(twin, new VfioUserServerOptions { DmaTimeout = TimeSpan.FromHours(1) });
        TaskCompletionSource<bool> done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        session.Device.Read = (_, destination) => done.SetResult(session.Device.Dma.TryRead(new Iova(DmaSession.Memory), destination));
        session.Client.SayBytes(DmaSession.Read(1, 0, 1));
        session.HearRead(0, 1);

        session.Client.Dispose();

        done.Task.ShouldGive(false);
        session.Device.ShouldTell("detached");
        session.Device.Dma.Regions.Should().BeEmpty();
        using RawClient next = session.Served.Attach();
        next.ShouldBeServed();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_client_that_vanishes_fails_the_accesses_of_all_threads(bool twin)
    {
        using DmaSession session = new(twin, new VfioUserServerOptions { DmaTimeout = TimeSpan.FromHours(1), MaxDmaInFlight = 8 });
        Task<bool>[] accesses = [.. Enumerable.Range(0, 8).Select(i => Wait.Start<bool>(() => session.Device.Dma.TryRead(new Iova(DmaSession.Memory + (uint)i), out byte _)))];
        for (int i = 0; i < accesses.Length; i++)
            session.Back.HearCommand(Command.DmaRead);

        session.Client.Dispose();

        foreach (Task<bool> access in accesses)
            access.ShouldGive(false);
        session.Device.ShouldTell("detached");
    }
}
