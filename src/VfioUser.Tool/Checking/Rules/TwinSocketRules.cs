using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser.Tool.Checking.Rules;

/// <summary>The twin socket, for the server's commands.</summary>
internal static class TwinSocketRules
{
    private const string Heading = "VFIO_USER_VERSION";

    private static readonly byte[] Offer = Proposal.Of("""{"capabilities":{"max_msg_fds":16,"twin_socket":{"supported":true}}}""");

    public static Topic Topic { get; } = new("Twin socket",
    [
        new("twin-unasked", Heading, "A client that does not offer a twin socket gets none.", Unasked),
        new("twin-declined", Heading, "A client whose twin_socket.supported is false gets none.", Declined),
        new("twin-socket", Heading, "A granted twin socket is the reply's descriptor at fd_index, and is connected.", Granted),
        new("twin-in-step", Heading, "Commands and replies of the client stay on the main socket.", StaysOnMainSocket),
    ]);

    private static Finding Unasked(Subject subject) => None(subject, Proposal.Usual);

    private static Finding Declined(Subject subject) =>
        None(subject, Proposal.Of("""{"capabilities":{"max_msg_fds":16,"twin_socket":{"supported":false}}}"""));

    private static Finding None(Subject subject, byte[] proposal)
    {
        using Conversation session = subject.Connect();
        Answer answer = session.Ask(Command.Version, proposal);
        answer.As<ProtocolVersion>();
        if (answer.FdCount > 0)
            throw new BrokenRuleException($"{answer.FdCount} descriptors were sent with the version reply");
        _ = VersionMessage.TryParse(answer.Payload, out _, out Capabilities server, out _);
        return server.TwinSocket is { Supported: true } ? throw new BrokenRuleException("twin_socket.supported is true in the reply") : Finding.Passed;
    }

    private static Finding Granted(Subject subject)
    {
        using Conversation session = subject.Connect();
        Answer answer = session.Ask(Command.Version, Offer);
        if (!Grants(answer))
            return Finding.NotServed("the server does not grant it");
        _ = VersionMessage.TryParse(answer.Payload, out _, out Capabilities server, out _);
        if (TwinSocketOutcome.Of(server, answer.FdCount).FdIndex is not { } index)
            throw new BrokenRuleException($"it is granted as descriptor {server.TwinSocket?.FdIndex} of {answer.FdCount}");
        using SafeFileHandle twin = answer.Fds!.Take(index);
        return SocketCalls.IsConnectedStream(twin) ? Finding.Passed : throw new BrokenRuleException($"descriptor {index} is not a connected socket");
    }

    private static Finding StaysOnMainSocket(Subject subject)
    {
        using Conversation session = subject.Connect();
        if (!Grants(session.Ask(Command.Version, Offer)))
            return Finding.NotServed("the server does not grant a twin socket");
        session.StaysInSync();
        return Finding.Passed;
    }

    private static bool Grants(Answer answer)
    {
        answer.As<ProtocolVersion>();
        return VersionMessage.TryParse(answer.Payload, out _, out Capabilities server, out string? problem) != Errno.None
            ? throw new BrokenRuleException($"the reply cannot be read: {problem}")
            : server.TwinSocket is { Supported: true };
    }
}
