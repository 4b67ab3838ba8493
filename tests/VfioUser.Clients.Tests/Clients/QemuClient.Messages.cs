using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser.Clients.Tests;

/// <content>How messages go out and come in (hw/vfio-user/proxy.c).</content>
internal sealed partial class QemuClient
{
    /// <summary>Sends a request and waits; what the device asks for meanwhile waits, too, until <see cref="AnswerDevice"/>.</summary>
    private Pending Ask(Command command, ReadOnlySpan<byte> payload, params ReadOnlySpan<SafeHandle> fds) => Wait(Send(command, payload, fds: fds));

    private Pending Send(Command command, ReadOnlySpan<byte> payload, int room = 0, int takesFds = 0, params ReadOnlySpan<SafeHandle> fds)
    {
        ushort id = _nextId++;
        byte[] message = Wire.Message(id, command, payload);
        Pending pending = new(command, room == 0 ? message.Length : room, takesFds);
        _pending.Add(id, pending);
        Out(message, fds);
        return pending;
    }

    // what the socket does not take is queued, and goes out as soon as it does; its thread reads meanwhile
    private void Out(ReadOnlySpan<byte> message, params ReadOnlySpan<SafeHandle> fds)
    {
        int sent;
        while ((sent = _socket.SendNow(message, fds)) == 0)
        {
            _socket.WaitWritableOrReadable("a message");
            TryReceive();
        }
        sent.Should().Be(message.Length, "what it writes of a message is all that it writes of it");
    }

    private Pending Wait(Pending pending)
    {
        while (!pending.IsComplete)
        {
            _socket.WaitReadable($"the reply to {pending.Command}");
            TryReceive();
        }
        return pending;
    }

    /// <summary>One message, if there is one.</summary>
    private bool TryReceive()
    {
        byte[] head = new byte[16];
        FdList? fds = null;
        int received = _socket.Receive(head, "a header", ref fds, Libc.MsgDontWait);
        if (received < 0)
            return false;
        if (received != 16)
            throw new ClientStuckException(received == 0 ? "QEMU: failed to read header: EOF." : $"QEMU: short read of header: {received} bytes.");
        using (fds)
        {
            MessageHeader header = Wire.HeaderOf(head);
            header.MessageSize.Should().BeGreaterThanOrEqualTo(16);
            if (header.IsReply)
                ReceiveReply(header, fds);
            else
                ReceiveRequest(header, fds);
        }
        return true;
    }

    private void ReceiveReply(MessageHeader header, FdList? fds)
    {
        if (!_pending.Remove(header.MessageId, out Pending? pending))
            throw new ClientStuckException($"QEMU: unexpected reply: {header}.");
        header.Command.Should().Be(pending.Command);
        int count = fds?.Count ?? 0;
        count.Should().BeLessThanOrEqualTo(pending.TakesFds, "more are unexpected FDs");
        header.MessageSize.Should().BeLessThanOrEqualTo((uint)pending.Room, "a longer reply to {0} is larger than its buffer", header.Command);
        byte[] payload = ReceiveRest(header);
        pending.Complete(header, payload, count == 0 ? null : fds!.Take(0));
        if (pending.What is not null && pending.Error != Errno.None)
            _errors.Add($"{pending.What} = -{(int)pending.Error} ({pending.Error})");
    }

    private void ReceiveRequest(MessageHeader header, FdList? fds)
    {
        fds.Should().BeNull("a request that brings descriptors is refused");
        header.MessageSize.Should().BeLessThanOrEqualTo(MaxTransfer + 32, "a longer request is larger than max");
        _incoming.Enqueue((header, ReceiveRest(header)));
    }

    private byte[] ReceiveRest(MessageHeader header)
    {
        byte[] rest = new byte[header.MessageSize - 16];
        for (int have = 0; have < rest.Length;)
        {
            FdList? none = null;
            int received = _socket.Receive(rest.AsSpan(have), "the rest of a message", ref none, Libc.MsgDontWait);
            none.Should().BeNull("descriptors come with headers");
            received.Should().NotBe(0, "that is the end of the stream, in the middle of {0}", header);
            if (received < 0)
                _socket.WaitReadable($"the rest of {header}");
            else
                have += received;
        }
        return rest;
    }

    /// <summary>A request that waits for its reply.</summary>
    private sealed class Pending(Command command, int room, int takesFds)
    {
        public Command Command => command;

        public int Room => room;

        public int TakesFds => takesFds;

        /// <summary>What is printed when it fails, where that is all.</summary>
        public string? What { get; set; }

        public bool IsComplete { get; private set; }

        public Errno Error { get; private set; }

        public byte[] Payload { get; private set; } = [];

        public SafeFileHandle? File { get; private set; }

        public void Complete(MessageHeader header, byte[] payload, SafeFileHandle? file)
        {
            Error = header.Flags.HasFlag(MessageFlags.Error) ? (Errno)header.Error : Errno.None;
            Payload = payload;
            File = file;
            IsComplete = true;
        }
    }
}
