using VfioUser.Protocol;
using VfioUser.Tool.Regions;

namespace VfioUser.Tool.Checking.Rules;

/// <summary>The stream of bytes: messages in pieces, several at once, and disconnection.</summary>
internal static class StreamRules
{
    private const int Many = 64;
    // of 36 bytes each: more than socket buffers hold for a client that does not read
    private const int ManyReplies = 1 << 14;
    private const ulong InterruptLine = 0x3C;

    // long enough that the server usually receives the first piece alone
    private static readonly TimeSpan Apart = TimeSpan.FromMilliseconds(2);
    private static readonly byte[] GetInfo = Bytes.Message(5, Command.DeviceGetInfo, Bytes.Of(new DeviceInfo(DeviceInfo.WireSize, 0, 0, 0)));

    public static Topic Topic { get; } = new("Stream",
    [
        new("body-after-header", "Socket", "A body may be sent in a write of its own.", subject => Pieces(subject, MessageHeader.WireSize)),
        new("header-in-pieces", "Socket", "A header may be sent in pieces.", subject => Pieces(subject, 5, 11)),
        new("body-in-pieces", "Socket", "A body may be sent in pieces.", subject => Pieces(subject, MessageHeader.WireSize, 21, 22)),
        new("pipelining", "Command Concurrency", "Commands that are sent in one write are all answered, in their order.", Pipelining),
        new("reply-header-whole", "Header", "The header of a reply is received whole, even if the client reads more slowly than the server replies.", HeaderWhole),
        new("posted-order", "Command Concurrency", "A posted write takes effect before the next command is answered.", PostedOrder),
        new("hangup-in-header", "Client Disconnection", "After a client that disconnects within a header, the next one is served.", subject => HangUp(subject, GetInfo[..7])),
        new("hangup-in-body", "Client Disconnection", "After a client that disconnects within a body, the next one is served.", subject => HangUp(subject, GetInfo[..20])),
        new("hangup-unread", "Client Disconnection", "After a client that disconnects without reading its replies, the next one is served.",
            subject => HangUp(subject, [.. Enumerable.Repeat(GetInfo, Many).SelectMany(message => message)])),
        new("hangup-unnegotiated", "Client Disconnection", "After a client that disconnects without negotiating, the next one is served.", DisconnectAtOnce),
        new("reconnect", "Client Disconnection", "The next client finds the same device.", Reconnect),
    ]);

    private static Finding Pieces(Subject subject, params int[] cuts)
    {
        using Conversation session = subject.Open();
        try
        {
            for (int round = 0; round < 4; round++)
            {
                int sent = 0;
                foreach (int cut in cuts)
                {
                    session.Send(GetInfo.AsSpan(sent..cut));
                    sent = cut;
                    session.Pause(Apart);
                }
                session.Send(GetInfo.AsSpan(sent..));
                session.Expect(5, Command.DeviceGetInfo).As<DeviceInfo>();
            }
            return Finding.Passed;
        }
        catch (BrokenRuleException e) when (cuts is not [MessageHeader.WireSize] && e is not ServerGoneException)
        {
            return Finding.Warning($"{e.Message}; libvfio-user fails here too, and clients in use send a header in one write");
        }
    }

    private static Finding Pipelining(Subject subject)
    {
        using Conversation session = subject.Open();
        List<byte> messages = [];
        for (ushort id = 0; id < Many; id++)
        {
            messages.AddRange(id % 2 == 0
                ? Bytes.Message(id, Command.DeviceGetInfo, GetInfo.AsSpan(MessageHeader.WireSize))
                : Bytes.Message(id, Command.RegionRead, Bytes.Of(new RegionAccess(id, RegionName.Config, 2))));
        }
        session.Send([.. messages]);
        for (ushort id = 0; id < Many; id++)
            session.Expect(id, id % 2 == 0 ? Command.DeviceGetInfo : Command.RegionRead);
        return Finding.Passed;
    }

    private static Finding HeaderWhole(Subject subject)
    {
        using Conversation session = subject.Open();
        byte[] read = Bytes.Message(5, Command.RegionRead, Bytes.Of(new RegionAccess(0, RegionName.Config, sizeof(uint))));
        byte[] reads = [.. Enumerable.Repeat(read, ManyReplies).SelectMany(message => message)];
        byte[] header = new byte[MessageHeader.WireSize];
        byte[] body = new byte[RegionAccess.WireSize + sizeof(uint)];
        int sent = session.SendSome(reads);
        session.Pause(Apart);
        for (int i = 0; i < ManyReplies; i++)
        {
            sent += session.SendSome(reads.AsSpan(sent));
            int received = session.ReceiveOnce(header);
            if (received == 0)
                throw new BrokenRuleException("the server disconnected");
            if (received < header.Length)
                return Finding.Warning($"a header was received in two parts, {received} bytes first; QEMU takes that for the end of the connection");
            MessageHeader reply = WireFormat.Read<MessageHeader>(header);
            if (!reply.IsReply || reply.Command != Command.RegionRead || reply.MessageSize > header.Length + body.Length)
                throw new BrokenRuleException($"reply {i} is {reply.Command} of {reply.MessageSize} bytes, expected was RegionRead");
            for (int left = (int)reply.MessageSize - header.Length; left > 0; left -= received)
            {
                received = session.ReceiveOnce(body.AsSpan(0, left));
                if (received == 0)
                    throw new BrokenRuleException("the server disconnected");
            }
        }
        return Finding.Passed;
    }

    private static Finding PostedOrder(Subject subject)
    {
        using Conversation session = subject.Open();
        byte before = session.ReadConfig<byte>(InterruptLine);
        byte other = (byte)(before ^ 0x0F);
        session.Post(Command.RegionWrite, ConfigAccess.WriteOf(RegionName.Config, InterruptLine, [other]), MessageFlags.NoReply);
        byte after = session.ReadConfig<byte>(InterruptLine);
        session.WriteConfig(InterruptLine, before);
        if (after == other)
            return Finding.Passed;
        session.WriteConfig(InterruptLine, other);
        bool writable = session.ReadConfig<byte>(InterruptLine) == other;
        session.WriteConfig(InterruptLine, before);
        return writable ? throw new BrokenRuleException("the read returned the value from before the write") : Finding.NotServed("the interrupt line register cannot be written");
    }

    private static Finding HangUp(Subject subject, byte[] bytes)
    {
        using (Conversation session = subject.Open())
            session.Send(bytes);
        return Serves(subject);
    }

    private static Finding DisconnectAtOnce(Subject subject)
    {
        subject.Connect().Dispose();
        return Serves(subject);
    }

    private static Finding Serves(Subject subject)
    {
        using Conversation next = subject.Open();
        next.StaysInSync();
        return Finding.Passed;
    }

    private static Finding Reconnect(Subject subject)
    {
        (DeviceInfo Info, uint Id) first = ReadInfo(subject);
        int process = subject.ProcessId;
        (DeviceInfo Info, uint Id) second = ReadInfo(subject);
        if (first != second)
            throw new BrokenRuleException($"{first} has changed to {second}");
        return Finding.WarnIf(process != subject.ProcessId, "the server ends with its client, which the specification allows, and was started again; whether it crashed cannot be seen then");
    }

    private static (DeviceInfo Info, uint Id) ReadInfo(Subject subject)
    {
        using Conversation session = subject.Open();
        return (session.Ask(Command.DeviceGetInfo, new DeviceInfo(DeviceInfo.WireSize, 0, 0, 0)).As<DeviceInfo>(), session.ReadConfig<uint>(0));
    }
}
