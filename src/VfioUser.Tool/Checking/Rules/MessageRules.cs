using VfioUser.Protocol;
using VfioUser.Tool.Regions;

namespace VfioUser.Tool.Checking.Rules;

/// <summary>Headers, replies and refusals.</summary>
internal static class MessageRules
{
    private const string Heading = "Header";

    private static readonly byte[] GetInfo = Bytes.Of(new DeviceInfo(DeviceInfo.WireSize, 0, 0, 0));

    public static Topic Topic { get; } = new("Messages",
    [
        new("reply-header", Heading, "A reply repeats message id and command and is of type Reply.", ReplyHeader),
        new("message-id-reuse", Heading, "Message ids are the sender's: the same one may be in flight twice.", Reuse),
        new("unknown-command", "Commands", "An unknown command is refused, and the next one is served.", subject => Unknown(subject, (Command)0x7FFF)),
        new("command-14", "Commands", "Number 14 is no command.", subject => Unknown(subject, (Command)14)),
        new("wrong-direction", "Commands", "Only servers send DMA_READ and DMA_WRITE.", WrongDirection),
        new("refusal", Heading, "A refusal is a header with the Error bit, without payload or with the payload size of a success.", Refusal),
        new("refusal-length", Heading, "The reply to a refused read, write, unmap or GET_IRQ_INFO has as many bytes as that of a success.", RefusalLength),
        new("refusal-bare", Heading, "A refusal is a header alone for a client that proposes as libvfio-user's and SPDK's do.", RefusalBare),
        new("no-reply", Heading, "A command with No_reply gets no reply.", subject => NoReply(subject, Command.DeviceGetInfo, GetInfo)),
        new("no-reply-refused", Heading, "A command with No_reply gets no reply when it is refused, either.",
            subject => NoReply(subject, Command.DeviceGetRegionInfo, Bytes.Of(new RegionInfo(RegionInfo.WireSize, 0, uint.MaxValue, 0, 0, 0)))),
        new("unknown-type", Heading, "Types are Command and Reply; a message of another type is not executed.", UnknownType),
        new("unasked-reply", Heading, "A reply that no command awaits is not executed, and gets no reply.", UnaskedReply),
        new("size-small", Heading, "A message size below that of the header is refused, or ends the connection.", subject => Size(subject, 8)),
        new("size-huge", Heading, "A message size of 4 GiB is refused, or ends the connection.", subject => Size(subject, uint.MaxValue)),
        new("short-payload", Heading, "A command whose payload is too short for its structure is refused.", ShortPayload),
        new("surplus-descriptors", Heading, "Descriptors with a command that takes none are closed, and the command is served.", SurplusDescriptors),
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
        session.StaysInSync();
        return Finding.Passed;
    }

    private static Finding WrongDirection(Subject subject)
    {
        using Conversation session = subject.Open();
        session.Refused(Command.DmaRead, new DmaAccess(0, 4), "an address of the client's");
        session.Refused(Command.DmaWrite, [.. Bytes.Of(new DmaAccess(0, 4)), 0, 0, 0, 0], "an address of the client's");
        session.StaysInSync();
        return Finding.Passed;
    }

    private static Finding Refusal(Subject subject)
    {
        using Conversation session = subject.Open();
        // Refused checks the payload of the reply
        Errno errno = session.Refused(Command.DeviceGetRegionInfo, new RegionInfo(RegionInfo.WireSize, 0, uint.MaxValue, 0, 0, 0), "index 4294967295");
        session.StaysInSync();
        return Finding.WarnIf(errno == Errno.None, "its errno is 0, which the specification allows, but which gives no reason");
    }

    private static Finding RefusalLength(Subject subject)
    {
        List<Command> shorter = Refusals(subject, Proposal.Usual, (length, success) => length < success);
        return Finding.WarnIf(shorter.Count > 0,
            $"{string.Join(", ", shorter)}: the reply is shorter, as the specification has it; the Rust crate's client (Cloud Hypervisor) reads as much as a success has, and waits for ever");
    }

    private static Finding RefusalBare(Subject subject)
    {
        List<Command> longer = Refusals(subject, Proposal.OfCLibrary, (length, _) => length > 0);
        return Finding.WarnIf(longer.Count > 0,
            $"{string.Join(", ", longer)}: the reply is longer than the specification has it; both clients read only the header of an error reply, and take the payload for the next reply");
    }

    // commands whose error reply has a payload of the wrong size
    private static List<Command> Refusals(Subject subject, byte[] proposal, Func<int, int, bool> isWrong)
    {
        const ulong Address = 0x30_0000_0000;
        const ulong Size = 0x2000;
        using SharedMemory memory = SharedMemory.Create(Size);
        using Conversation session = subject.Open(proposal);
        session.Ask(Command.DmaMap, Bytes.Of(new DmaMap(DmaMap.WireSize, DmaMapFlags.Readable | DmaMapFlags.Writeable, 0, Address, Size)), memory.File);
        byte[] access = Bytes.Of(new RegionAccess(0, uint.MaxValue, sizeof(uint)));
        List<Command> wrong = [];
        foreach ((Command command, byte[] payload, int success) in (ReadOnlySpan<(Command, byte[], int)>)
        [
            (Command.RegionRead, access, RegionAccess.WireSize + sizeof(uint)),
            (Command.RegionWrite, [.. access, 0, 0, 0, 0], RegionAccess.WireSize),
            (Command.DmaUnmap, Bytes.Of(new DmaUnmap(DmaUnmap.WireSize, 0, Address, Size / 2)), DmaUnmap.WireSize),
            (Command.DeviceGetIrqInfo, Bytes.Of(new IrqInfo(IrqInfo.WireSize, 0, uint.MaxValue, 0)), IrqInfo.WireSize),
        ])
        {
            if (session.Ask(command, payload) is { IsError: true } answer && isWrong(answer.Payload.Length, success))
                wrong.Add(command);
        }
        session.Ask(Command.DmaUnmap, new DmaUnmap(DmaUnmap.WireSize, 0, Address, Size));
        session.StaysInSync();
        return wrong;
    }

    private static Finding NoReply(Subject subject, Command command, byte[] payload)
    {
        using Conversation session = subject.Open();
        ushort silent = session.Post(command, payload, MessageFlags.NoReply);
        ushort asked = session.Post(Command.DeviceGetInfo, GetInfo);
        Answer answer = session.TryReceive(Command.DeviceGetInfo) ?? throw new BrokenRuleException("the server disconnected");
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
                throw new BrokenRuleException("a message of type 2 was executed");
            answer = session.TryReceive(Command.DeviceGetInfo);
        }
        return Finding.WarnIf(answer is not null && answer.Header.MessageId != asked,
            "it is refused, and its payload then taken for the next message, as by libvfio-user; the specification does not cover it");
    }

    private static Finding UnaskedReply(Subject subject)
    {
        using Conversation session = subject.Open();
        ushort odd = session.Post(Command.DmaRead, [], MessageFlags.Reply);
        ushort asked = session.Post(Command.DeviceGetInfo, GetInfo);
        Answer answer = session.TryReceive(Command.DeviceGetInfo) ?? throw new BrokenRuleException("the server disconnected");
        if (answer.Header.MessageId == asked)
            return Finding.Passed;
        if (answer.Header.MessageId != odd || !answer.IsError)
            throw new BrokenRuleException("it was executed");
        session.Expect(asked, Command.DeviceGetInfo).As<DeviceInfo>();
        return Finding.Warning($"it was {answer.Refusal}, as libvfio-user does; the specification does not cover it, and two peers that reply to replies never stop");
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
        next.StaysInSync();
        return Finding.WarnIf(isServed, $"a message with message size {size} was executed; the specification does not cover it");
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
        session.StaysInSync();
        return Finding.Passed;
    }

    private static Finding SurplusDescriptors(Subject subject)
    {
        using EventFd fd = new();
        using Conversation session = subject.Open();
        List<string> refused = [];
        foreach ((Command command, byte[] payload) in (ReadOnlySpan<(Command, byte[])>)
        [
            (Command.DeviceGetInfo, GetInfo),
            (Command.DeviceGetRegionInfo, Bytes.Of(new RegionInfo(RegionInfo.WireSize, 0, RegionName.Config, 0, 0, 0))),
            (Command.RegionRead, Bytes.Of(new RegionAccess(0, RegionName.Config, sizeof(uint)))),
        ])
        {
            if (session.Ask(command, payload, fd.Handle, fd.Handle).IsError)
                refused.Add(command.ToString());
        }
        session.StaysInSync();
        return Finding.WarnIf(refused.Count > 0, $"{string.Join(", ", refused)}: refused; clients in use send descriptors where none are needed");
    }
}
