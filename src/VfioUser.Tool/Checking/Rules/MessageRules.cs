using VfioUser.Protocol;

namespace VfioUser.Tool.Checking.Rules;

/// <summary>Headers, replies and refusals.</summary>
internal static class MessageRules
{
    private const string Heading = "Header";

    private static readonly byte[] GetInfo = Bytes.Of(new DeviceInfo(DeviceInfo.WireSize, 0, 0, 0));

    public static Topic Topic { get; } = new("Messages",
    [
        new("reply-header", Heading, "A reply repeats message id and command and is of type Reply.", ReplyHeader),
        new("message-id-reuse", Heading, "Message ids are the sender's: the same one may be under way twice.", Reuse),
        new("unknown-command", "Commands", "An unknown command is refused, and the next one is served.", subject => Unknown(subject, (Command)0x7FFF)),
        new("command-14", "Commands", "Number 14 is no command.", subject => Unknown(subject, (Command)14)),
        new("wrong-direction", "Commands", "DMA_READ and DMA_WRITE are the server's to send.", WrongDirection),
        new("refusal", Heading, "A refusal is a header with the Error bit, without payload or with as much as a success has.", Refusal),
        new("no-reply", Heading, "A command with No_reply gets no reply.", subject => NoReply(subject, Command.DeviceGetInfo, GetInfo)),
        new("no-reply-refused", Heading, "A command with No_reply gets no reply when it is refused, either.",
            subject => NoReply(subject, Command.DeviceGetRegionInfo, Bytes.Of(new RegionInfo(RegionInfo.WireSize, 0, uint.MaxValue, 0, 0, 0)))),
        new("unknown-type", Heading, "Types are Command and Reply; a message of another one is not carried out.", UnknownType),
        new("unasked-reply", Heading, "A reply that nobody waits for is no command, and is not answered.", UnaskedReply),
        new("size-small", Heading, "A message size below that of the header is refused, or ends the connection.", subject => Size(subject, 8)),
        new("size-huge", Heading, "A message size of 4 GiB is refused, or ends the connection.", subject => Size(subject, uint.MaxValue)),
        new("short-payload", Heading, "A command whose payload is too short for its structure is refused.", ShortPayload),
        new("surplus-descriptors", Heading, "Descriptors with a command that takes none do no harm.", SurplusDescriptors),
    ]);

    private static Finding ReplyHeader(Subject subject)
    {
        using Conversation session = subject.Open();
        session.Send(Bytes.Message(0xBEEF, Command.DeviceGetInfo, GetInfo));
        MessageHeader header = session.Expect(0xBEEF, Command.DeviceGetInfo).Header;
        return header.Flags == MessageFlags.Reply ? Finding.Passed : throw new BrokenRuleException($"its flags are 0x{(uint)header.Flags:x}, not 0x1");
    }

    private static Finding Reuse(Subject subject)
    {
        using Conversation session = subject.Open();
        byte[] one = Bytes.Message(7, Command.DeviceGetInfo, GetInfo);
        session.Send([.. one, .. one]);
        session.Expect(7, Command.DeviceGetInfo).As<DeviceInfo>();
        session.Expect(7, Command.DeviceGetInfo).As<DeviceInfo>();
        return Finding.Passed;
    }

    private static Finding Unknown(Subject subject, Command command)
    {
        using Conversation session = subject.Open();
        session.Refused(command, new byte[24], "24 bytes of payload");
        session.StaysInStep();
        return Finding.Passed;
    }

    private static Finding WrongDirection(Subject subject)
    {
        using Conversation session = subject.Open();
        session.Refused(Command.DmaRead, new DmaAccess(0, 4), "an address of the client's");
        session.Refused(Command.DmaWrite, [.. Bytes.Of(new DmaAccess(0, 4)), 0, 0, 0, 0], "an address of the client's");
        session.StaysInStep();
        return Finding.Passed;
    }

    private static Finding Refusal(Subject subject)
    {
        using Conversation session = subject.Open();
        // what follows its header is looked at with each answer
        Errno errno = session.Refused(Command.DeviceGetRegionInfo, new RegionInfo(RegionInfo.WireSize, 0, uint.MaxValue, 0, 0, 0), "index 4294967295");
        session.StaysInStep();
        return Finding.WarnIf(errno == Errno.None, "its errno is 0, which the specification allows and which tells nothing");
    }

    private static Finding NoReply(Subject subject, Command command, byte[] payload)
    {
        using Conversation session = subject.Open();
        ushort silent = session.Post(command, payload, MessageFlags.NoReply);
        ushort asked = session.Post(Command.DeviceGetInfo, GetInfo);
        Answer answer = session.TryReceive(Command.DeviceGetInfo) ?? throw new BrokenRuleException("the server hung up");
        if (answer.Header.MessageId == silent)
            throw new BrokenRuleException($"{command} with No_reply was answered");
        return answer.Header.MessageId == asked ? Finding.Passed : throw new BrokenRuleException($"the reply has message id {answer.Header.MessageId}, not {asked}");
    }

    private static Finding UnknownType(Subject subject)
    {
        using Conversation session = subject.Open();
        ushort odd = session.Post(Command.DeviceGetInfo, GetInfo, (MessageFlags)2);
        ushort asked = session.Post(Command.DeviceGetInfo, GetInfo);
        Answer? answer = session.TryReceive(Command.DeviceGetInfo);
        if (answer?.Header.MessageId == odd)
        {
            if (!answer.IsError)
                throw new BrokenRuleException("a message of type 2 was carried out");
            answer = session.TryReceive(Command.DeviceGetInfo);
        }
        return Finding.WarnIf(answer is not null && answer.Header.MessageId != asked,
            "it is refused, and its payload then taken for the next message, as by libvfio-user; the specification is silent");
    }

    private static Finding UnaskedReply(Subject subject)
    {
        using Conversation session = subject.Open();
        ushort odd = session.Post(Command.DmaRead, [], MessageFlags.Reply);
        ushort asked = session.Post(Command.DeviceGetInfo, GetInfo);
        Answer answer = session.TryReceive(Command.DeviceGetInfo) ?? throw new BrokenRuleException("the server hung up");
        if (answer.Header.MessageId == asked)
            return Finding.Passed;
        if (answer.Header.MessageId != odd || !answer.IsError)
            throw new BrokenRuleException("it was carried out");
        session.Expect(asked, Command.DeviceGetInfo).As<DeviceInfo>();
        return Finding.Warning($"it was {answer.Refusal}, as libvfio-user does; the specification is silent, and two who answer answers never come to an end");
    }

    private static Finding Size(Subject subject, uint size)
    {
        bool isServed;
        using (Conversation session = subject.Open())
        {
            session.Send(Bytes.Of(new MessageHeader(1, Command.DeviceGetInfo, size, MessageFlags.Command, 0)));
            isServed = session.TryReceive(Command.DeviceGetInfo) is { IsError: false };
        }
        using Conversation next = subject.Open();
        next.StaysInStep();
        return Finding.WarnIf(isServed, $"a message that says it has {size} bytes was carried out; the specification is silent");
    }

    private static Finding ShortPayload(Subject subject)
    {
        using Conversation session = subject.Open();
        ReadOnlySpan<Command> commands =
        [
            Command.DeviceGetInfo, Command.DeviceGetRegionInfo, Command.DeviceGetIrqInfo, Command.DeviceSetIrqs, Command.RegionRead,
            Command.RegionWrite, Command.DmaMap, Command.DmaUnmap, Command.DeviceFeature,
        ];
        foreach (Command command in commands)
        {
            session.Refused(command, [], "no payload");
            session.Refused(command, [7, 0, 0], "3 bytes of payload");
        }
        session.StaysInStep();
        return Finding.Passed;
    }

    private static Finding SurplusDescriptors(Subject subject)
    {
        using EventFd fd = new();
        using Conversation session = subject.Open();
        session.Ask(Command.DeviceGetInfo, GetInfo, fd.Handle, fd.Handle);
        session.StaysInStep();
        return Finding.Passed; // refused or served: both can be lived with
    }
}
