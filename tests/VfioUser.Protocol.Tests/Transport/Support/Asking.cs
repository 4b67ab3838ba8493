using System.Runtime.InteropServices;

namespace VfioUser.Protocol.Tests.Transport;

/// <summary>Calls with one number there and one back.</summary>
internal static class Asking
{
    /// <summary>Asks with a number and returns the one that is answered.</summary>
    public static int Ask(this MessageChannel channel, int number, Command command = Command.DmaRead)
    {
        using Reply reply = channel.Call(command, MemoryMarshal.AsBytes([number]));
        reply.Errno.Should().Be(Errno.None);
        return WireFormat.Read<int>(reply.Payload);
    }

    /// <summary>Asks and returns how it failed.</summary>
    public static Errno AskInVain(this MessageChannel channel, Command command = Command.DmaRead)
    {
        using Reply reply = channel.Call(command, new byte[16]);
        reply.Payload.Length.Should().Be(0);
        return reply.Errno;
    }

    /// <summary>Reads such a question.</summary>
    public static (ushort Id, int Number) ReadQuestion(this RawPeer peer)
    {
        byte[] message = peer.ReadMessage() ?? throw new IOException("The stream ended where a command was due.");
        return (WireFormat.Read<MessageHeader>(message).MessageId, WireFormat.Read<int>(message.AsSpan(MessageHeader.WireSize)));
    }

    public static void Answer(this RawPeer peer, ushort id, int number, Command command = Command.DmaRead) =>
        peer.Write(Frame.Reply(id, command, BitConverter.GetBytes(number)));

    /// <summary>Answers as many questions as are said, each with its number plus one.</summary>
    public static void AnswerQuestions(this RawPeer peer, int count)
    {
        for (int i = 0; i < count; i++)
        {
            (ushort id, int number) = peer.ReadQuestion();
            peer.Answer(id, number + 1);
        }
    }

    /// <summary>The same on a thread of its own.</summary>
    public static Background<bool> AnswerLater(this RawPeer peer, int count) => Background.Run(() => peer.AnswerQuestions(count));

    /// <summary>Says the same again and again on a thread of its own, until it is cut off: who stops reading for good would
    /// otherwise leave it waiting in the middle.</summary>
    public static Background<bool> Flood(this RawPeer peer, byte[] message) => Background.Run(() =>
    {
        try
        {
            while (true)
                peer.Write(message);
        }
        catch (IOException)
        {
            // cut off
        }
    });
}
