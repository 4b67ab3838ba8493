namespace VfioUser.Protocol.Tests.Transport;

public class PendingCallTests
{
    private const int Slot = 3;
    private readonly PendingCall _call = new(Slot, new ReplyBuffers());

    [Fact]
    public void Successive_calls_of_a_slot_have_different_ids()
    {
        ushort[] numbers = [.. Enumerable.Range(0, 256).Select(_ => Answered())];

        numbers.Should().OnlyHaveUniqueItems();
        numbers.Select(number => PendingCall.IndexOf(number)).Should().AllBeEquivalentTo(Slot);
    }

    [Fact]
    public void A_number_whose_reply_may_still_come_is_not_used_again()
    {
        ushort[] late = [Abandoned(), Abandoned(), Abandoned()];

        for (int i = 0; i < 1000; i++)
            late.Should().NotContain(Answered());
    }

    [Fact]
    public void A_late_reply_is_known_once_and_then_its_number_is_free()
    {
        ushort late = Abandoned();

        _call.DiscardAbandoned(late).Should().BeTrue();
        _call.DiscardAbandoned(late).Should().BeFalse();
        Enumerable.Range(0, 256).Select(_ => Answered()).Should().Contain(late);
    }

    [Fact]
    public void A_number_that_was_answered_is_not_late() => _call.DiscardAbandoned(Answered()).Should().BeFalse();

    [Fact]
    public void A_peer_that_never_answers_does_not_use_the_numbers_up()
    {
        for (int i = 0; i < 1000; i++)
            PendingCall.IndexOf(Abandoned()).Should().Be(Slot);
    }

    private ushort Abandoned()
    {
        _call.Begin(Command.DmaRead);
        _call.End();
        return _call.MessageId;
    }

    private ushort Answered()
    {
        _call.Begin(Command.DmaRead);
        _call.Complete(default);
        _call.End();
        return _call.MessageId;
    }
}
