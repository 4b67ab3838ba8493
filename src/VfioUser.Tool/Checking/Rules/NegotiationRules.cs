using VfioUser.Protocol;

namespace VfioUser.Tool.Checking.Rules;

/// <summary>Negotiation of version and capabilities.</summary>
internal static class NegotiationRules
{
    private const string Heading = "VFIO_USER_VERSION";

    public static Topic Topic { get; } = new("Negotiation",
    [
        new("version-first", "Connection Initiation", "No other command is served before VERSION.", First),
        new("version-reply", Heading, "The reply has the proposed major version, a minor one that is not above the proposed, and JSON that ends with a NUL.",
            subject => Accepted(subject, Proposal.Usual, ProtocolLimits.VersionMinor)),
        new("version-minor-higher", Heading, "A higher minor version is accepted and answered with the server's own.",
            subject => Accepted(subject, Proposal.Of("""{"capabilities":{}}""", minor: ushort.MaxValue), ushort.MaxValue - 1)),
        new("version-minor-lower", Heading, "Every lower minor version is accepted and answered as proposed.",
            subject => Accepted(subject, Proposal.Of("""{"capabilities":{}}""", minor: 0), 0)),
        new("version-major", Heading, "An unknown major version is not agreed on.", Major),
        new("version-no-data", Heading, "Version data is optional.", subject => Accepted(subject, Proposal.Of(null), ProtocolLimits.VersionMinor)),
        new("version-no-capabilities", Heading, "The capabilities object is optional.", subject => Accepted(subject, Proposal.Of("{}"), ProtocolLimits.VersionMinor)),
        new("version-unknown-capability", Heading, "A proposal with unknown capabilities is accepted.",
            subject => Accepted(subject, Proposal.Of("""{"capabilities":{"max_msg_fds":8,"teleport":{"speed":[1,2]}},"vendor":"x"}"""), ProtocolLimits.VersionMinor)),
        new("version-subset", Heading, "The reply's capabilities are a subset of those proposed.", Subset),
        new("version-values", Heading, "Capabilities in the reply have the types of the specification, and plausible values.", Values),
        new("version-bad-json", Heading, "Version data that is no JSON object is not agreed on.",
            subject => NotAgreed(subject, Proposal.Of("""{"capabilities":"""), "broken JSON")),
        new("version-no-nul", Heading, "Version data without a NUL at its end is not agreed on.",
            subject => NotAgreed(subject, Proposal.WithText("""{"capabilities":{}}"""u8), "JSON without a NUL at its end")),
        new("version-short", Heading, "A proposal without both numbers is not agreed on.", subject => NotAgreed(subject, [0, 0], "half a version")),
        new("version-again", Heading, "A second VERSION changes nothing, and the stream stays in sync.", Again),
    ]);

    private static Finding First(Subject subject)
    {
        using Conversation session = subject.Connect();
        session.Post(Command.DeviceGetInfo, Bytes.Of(new DeviceInfo(DeviceInfo.WireSize, 0, 0, 0)));
        return Finding.WarnIf(session.TryReceive(Command.DeviceGetInfo) is { IsError: false },
            "DeviceGetInfo was served as the first message; the specification binds the client here, not the server");
    }

    private static Finding Accepted(Subject subject, byte[] proposal, ushort highest)
    {
        ProtocolVersion proposed = WireFormat.Read<ProtocolVersion>(proposal);
        using Conversation session = subject.Connect();
        Answer answer = session.Ask(Command.Version, proposal);
        ProtocolVersion version = answer.As<ProtocolVersion>();
        if (version.Major != proposed.Major || version.Minor > highest)
            throw new BrokenRuleException($"{proposed.Major}.{proposed.Minor} is answered with {version.Major}.{version.Minor}");
        if (VersionMessage.TryParse(answer.Payload, out _, out _, out string? problem) != Errno.None)
            throw new BrokenRuleException($"the reply cannot be read: {problem}");
        session.StaysInSync();
        return Finding.Passed;
    }

    private static Finding Major(Subject subject)
    {
        using Conversation session = subject.Connect();
        session.Post(Command.Version, Proposal.Of("""{"capabilities":{}}""", major: 0x7FFF));
        return session.TryReceive(Command.Version) is { IsError: false } answer
            ? throw new BrokenRuleException($"32767.1 was agreed on, with {answer.As<ProtocolVersion>().Major}.{answer.As<ProtocolVersion>().Minor}")
            : Finding.Passed;
    }

    private static Finding NotAgreed(Subject subject, byte[] proposal, string what)
    {
        using Conversation session = subject.Connect();
        session.Post(Command.Version, proposal);
        return Finding.WarnIf(session.TryReceive(Command.Version) is { IsError: false }, $"{what} was agreed on; the specification does not cover that");
    }

    private static Finding Subset(Subject subject)
    {
        using Conversation session = subject.Open(Proposal.Of("""{"capabilities":{}}"""));
        Capabilities server = session.Server;
        if (server.WriteMultiple || server.TwinSocket is { Supported: true })
            throw new BrokenRuleException($"{(server.WriteMultiple ? "write_multiple" : "twin_socket")} is granted, which was not proposed");
        CapabilityKeys more = server.Present & ~(CapabilityKeys.MaxMessageFds | CapabilityKeys.MaxDataTransferSize);
        return Finding.WarnIf(more != 0, $"the reply has {more}, which was not proposed; clients take it for a limit of the server");
    }

    private static Finding Values(Subject subject)
    {
        using Conversation session = subject.Connect();
        Answer answer = session.Ask(Command.Version, Proposal.Usual);
        answer.As<ProtocolVersion>();
        if (VersionMessage.TryParse(answer.Payload, out _, out Capabilities server, out string? problem) != Errno.None)
            throw new BrokenRuleException($"the reply cannot be read: {problem}");
        if (server.MaxDataTransferSize < 4096)
            return Finding.Warning($"max_data_xfer_size is {server.MaxDataTransferSize} bytes: less than a page");
        return Finding.WarnIf((server.PageSizes & ProtocolLimits.PageSize) == 0, $"pgsizes 0x{server.PageSizes:x} do not include 4 KiB, the only size that was proposed");
    }

    private static Finding Again(Subject subject)
    {
        using Conversation session = subject.Open();
        session.Post(Command.Version, Proposal.Usual);
        Answer? answer = session.TryReceive(Command.Version);
        if (answer is null)
            return Finding.Passed;
        session.StaysInSync();
        return Finding.WarnIf(!answer.IsError, "it was accepted; the specification calls VERSION the initial message");
    }
}
