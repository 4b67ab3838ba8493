using VfioUser.Protocol;

namespace VfioUser.Tool.Checking.Rules;

/// <summary>Clients that connect while another one is attached, or right after it has disconnected.</summary>
internal static class ClientRules
{
    private const int Rounds = 20;

    // QEMU's
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(5);

    public static Topic Topic { get; } = new("Clients",
    [
        new("next-client", "Client Disconnection", "A client that comes as another one leaves is served.", Next),
        new("second-client", "Connection Initiation", "A client that comes while another one is there is refused with EBUSY, before it gives up.", Second),
    ]);

    private static Finding Next(Subject subject)
    {
        if (subject.EndsWithClients)
            return OneClient;
        for (int round = 0; round < Rounds; round++)
        {
            subject.Open().Dispose();
            using Conversation next = subject.Knock(subject.Timeout) ?? throw new BrokenRuleException("nobody listens when a client has left");
            Answer answer = next.Ask(Command.Version, Proposal.Usual);
            if (answer.IsError)
                throw new BrokenRuleException($"VERSION is {answer.Refusal}, though nobody else is there any more");
        }
        return Finding.Passed;
    }

    private static Finding Second(Subject subject)
    {
        using Conversation first = subject.Open();
        TimeSpan wait = subject.Timeout < LongestWait ? subject.Timeout : LongestWait;
        Finding finding;
        using (Conversation? second = subject.Knock(wait))
            finding = second is null ? Finding.NotServed("nobody else is accepted") : Turned(second, wait);
        first.StaysInSync();
        return finding;
    }

    private static Finding Turned(Conversation second, TimeSpan wait)
    {
        try
        {
            second.Post(Command.Version, Proposal.Usual);
            return second.TryReceive(Command.Version) switch
            {
                null => Finding.Warning("it is hung up on without a word; a client cannot tell that from a server that has crashed"),
                { Errno: Errno.EBUSY, IsError: true } => Finding.Passed,
                { IsError: true } other => Finding.Warning($"it is {other.Refusal}, which does not say that the device is in use"),
                _ => Finding.Warning("it is served, too: memory and interrupts of a device are one client's"),
            };
        }
        catch (SilentServerException)
        {
            return Finding.Warning($"it hears nothing for {wait.TotalSeconds} seconds; QEMU gives up after 5, and its user is not told why");
        }
    }

    private static Finding OneClient => Finding.NotServed("the server ends with its client, which the specification allows");
}
