using VfioUser.Protocol;

namespace VfioUser.Tool.Checking.Rules;

/// <summary>Clients that come right after another one has left.</summary>
internal static class ClientRules
{
    private const int Rounds = 20;

    public static Topic Topic { get; } = new("Clients",
    [
        new("next-client", "Client Disconnection", "A client that comes as another one leaves is served.", Next),
    ]);

    private static Finding Next(Subject subject)
    {
        if (subject.EndsWithClients)
            return OneClient;
        for (int round = 0; round < Rounds; round++)
        {
            subject.Open().Dispose();
            using Conversation next = subject.Knock(subject.Patience) ?? throw new BrokenRuleException("nobody listens when a client has left");
            Answer answer = next.Ask(Command.Version, Proposal.Usual);
            if (answer.IsError)
                throw new BrokenRuleException($"VERSION is {answer.Refusal}, though nobody else is there any more");
        }
        return Finding.Passed;
    }

    private static Finding OneClient => Finding.NotServed("the server ends with its client, which the specification allows");
}
