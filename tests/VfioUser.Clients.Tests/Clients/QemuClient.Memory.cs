using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;

namespace VfioUser.Clients.Tests;

/// <content>Maps and unmaps (hw/vfio-user/container.c below hw/vfio/listener.c), and what the device asks for (pci.c).</content>
internal sealed partial class QemuClient
{
    private bool _inTransaction;
    private SafeFileHandle? _ram; // where what the device asks for lies, at its address

    /// <summary>Whether the guest has set the bit; without it the device's requests are refused.</summary>
    public bool BusMaster { get; private set; }

    /// <summary>Memory that changes as a whole: maps and unmaps are sent without waiting, and the last one is waited for.</summary>
    public void Transaction(Action changes)
    {
        _inTransaction = true;
        changes();
        _inTransaction = false;
        if (_lastNoWait is not null)
            Wait(_lastNoWait);
        _lastNoWait = null;
        while (TryReceive())
        {
        }
    }

    /// <summary>A section of memory, or a translation of the guest's IOMMU. File offset and address differ in the latter.</summary>
    public void Map(ulong address, ulong size, SafeFileHandle? file, ulong offset = 0, bool writable = true)
    {
        DmaMapFlags flags = writable ? DmaMapFlags.Readable | DmaMapFlags.Writeable : DmaMapFlags.Readable;
        byte[] payload = Wire.Bytes(new DmaMap(32, flags, offset, address, size));
        Pending pending = file is null ? Send(Command.DmaMap, payload) : Send(Command.DmaMap, payload, 0, 0, file);
        Finish(pending, $"vfio_container_dma_map(.., 0x{address:x}, 0x{size:x})");
    }

    public void Unmap(ulong address, ulong size, bool all = false)
    {
        DmaUnmapFlags flags = all ? DmaUnmapFlags.All : 0;
        Pending pending = Send(Command.DmaUnmap, Wire.Bytes(new DmaUnmap(24, flags, address, size)));
        Finish(pending, $"vfio_container_dma_unmap(.., 0x{address:x}, 0x{size:x})");
    }

    /// <summary>Answers what the device has asked for, as the main loop does when nothing else keeps it.</summary>
    public void AnswerDevice(SafeFileHandle ram, Task device)
    {
        _ram = ram;
        while (!device.IsCompleted)
        {
            if (_socket.IsReadable(TimeSpan.FromMilliseconds(1)))
                TryReceive();
            AnswerIncoming();
        }
        device.ShouldEnd();
    }

    /// <summary>Waits for one request and answers it.</summary>
    public void AnswerOne(SafeFileHandle ram)
    {
        _ram = ram;
        while (_incoming.Count == 0)
        {
            _socket.WaitReadable("a request of the device");
            TryReceive();
        }
        AnswerIncoming();
    }

    private void AnswerIncoming()
    {
        while (_incoming.TryDequeue(out (MessageHeader Header, byte[] Payload) request))
        {
            DmaAccess access = WireFormat.Read<DmaAccess>(request.Payload);
            if (!BusMaster || access.Address + access.Count > (ulong)RandomAccess.GetLength(_ram!))
                Reply(Wire.Header(request.Header.MessageId, request.Header.Command, 0, MessageFlags.Reply | MessageFlags.Error, (uint)Errno.ENODEV));
            else if (request.Header.Command == Command.DmaRead)
                Read(request.Header, access);
            else
                Write(request.Header, access, request.Payload.AsSpan(DmaAccess.WireSize));
        }
    }

    private void Read(MessageHeader header, DmaAccess access)
    {
        access.Count.Should().BeLessThanOrEqualTo(MaxTransfer, "more is E2BIG");
        byte[] data = Memory.Read(_ram!, access.Address, (int)access.Count);
        Reply(Wire.Message(header.MessageId, Command.DmaRead, Wire.Bytes(access, data), MessageFlags.Reply));
    }

    private void Write(MessageHeader header, DmaAccess access, ReadOnlySpan<byte> data)
    {
        data.Length.Should().Be((int)access.Count);
        RandomAccess.Write(_ram!, data, (long)access.Address);
        Reply(Wire.Message(header.MessageId, Command.DmaWrite, Wire.Bytes(access), MessageFlags.Reply));
    }

    // one write that does not wait: QEMU takes part of it for all of it, and goes on
    private void Reply(byte[] message)
    {
        int sent;
        while ((sent = _socket.SendNow(message)) == 0)
            _socket.WaitWritable("a reply to the device");
        if (sent != message.Length)
            _errors.Add($"of a reply of {message.Length} bytes to the device only {sent} went out");
    }

    private void Finish(Pending pending, string what)
    {
        pending.What = what;
        if (_inTransaction)
            _lastNoWait = pending;
        else
            Wait(pending);
    }
}
