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
        new("next-client", "Client Disconnection", "A client that connects while another one disconnects is served.", Next),
        new("second-client", "Connection Initiation", "A client that connects while another one is attached is refused with EBUSY, before it times out.", Second),
    ]);

    private static Finding Next(Subject subject)
    {
        if (subject.EndsWithClients)
            return OneClient;
        for (int round = 0; round < Rounds; round++)
        {
            subject.Open().Dispose();
            using Conversation next = subject.TryConnect(subject.Timeout) ?? throw new BrokenRuleException("the server does not accept connections after a client has disconnected");
            Answer answer = next.Ask(Command.Version, Proposal.Usual);
            if (answer.IsError)
                throw new BrokenRuleException($"VERSION is {answer.Refusal}, though no other client is attached");
        }
        return Finding.Passed;
    }

    private static Finding Second(Subject subject)
    {
        using Conversation first = subject.Open();
        TimeSpan wait = subject.Timeout < LongestWait ? subject.Timeout : LongestWait;
        Finding finding;
        using (Conversation? second = subject.TryConnect(wait))
            finding = second is null ? Finding.NotServed("no second client is accepted") : CheckRefusal(second, wait);
        first.StaysInSync();
        return finding;
    }

    private static Finding CheckRefusal(Conversation second, TimeSpan wait)
    {
        try
        {
            second.Post(Command.Version, Proposal.Usual);
            return second.TryReceive(Command.Version) switch
            {
                null => Finding.Warning("it is disconnected without a reply; a client cannot distinguish that from a crashed server"),
                { Errno: Errno.EBUSY, IsError: true } => Finding.Passed,
                { IsError: true } other => Finding.Warning($"it is {other.Refusal}, which does not mean that the device is in use"),
                _ => Finding.Warning("it is served as well; a device has memory and interrupts of one client only"),
            };
        }
        catch (SilentServerException)
        {
            return Finding.Warning($"it gets no reply for {wait.TotalSeconds} seconds; QEMU times out after 5, and does not show its user why");
        }
    }

    private static Finding OneClient => Finding.NotServed("the server ends with its client, which the specification allows");
}
