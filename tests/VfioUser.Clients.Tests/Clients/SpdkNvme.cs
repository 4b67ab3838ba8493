using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;

namespace VfioUser.Clients.Tests;

/// <summary>What SPDK's NVMe driver does on top (lib/nvme/nvme_vfio_user.c): an admin queue in its memory, doorbells on the mapped page, and it polls.</summary>
internal sealed class SpdkNvme(SpdkHostClient client, SafeFileHandle memory, ulong address, int stride)
{
    private const int Entries = 32;
    private const ulong Submissions = 0, Completions = 0x1000, Data = 0x2000;

    private ushort _tail;
    private ushort _head;
    private byte _phase = 1;

    public void Enable()
    {
        client.Write(0, 0x14, 0u);
        WaitForStatus(0);
        client.Write(0, 0x28, address + Submissions);
        client.Write(0, 0x30, address + Completions);
        client.Write(0, 0x24, (uint)(Entries - 1) << 16 | (Entries - 1));
        client.Write(0, 0x14, 1u | 6 << 16 | 4 << 20);
        WaitForStatus(1);
    }

    /// <summary>An admin command with one page.</summary>
    public byte[] Admin(byte opcode, uint dword10, uint nsid = 0)
    {
        byte[] command = new byte[64];
        command[0] = opcode;
        BitConverter.TryWriteBytes(command.AsSpan(2), (ushort)(_tail + 100));
        BitConverter.TryWriteBytes(command.AsSpan(4), nsid);
        BitConverter.TryWriteBytes(command.AsSpan(24), address + Data);
        BitConverter.TryWriteBytes(command.AsSpan(40), dword10);
        Memory.Write(memory, Submissions + (ulong)(_tail * 64), command);
        _tail = (ushort)((_tail + 1) % Entries);
        client.Write(0, 0x1000, (uint)_tail);

        byte[] completion = [];
        Bound.Until(() => ((completion = Memory.Read(memory, Completions + (ulong)(_head * 16), 16))[14] & 1) == _phase, "a completion");
        (BitConverter.ToUInt16(completion, 14) >> 1).Should().Be(0, "the command is to succeed");
        _head = (ushort)((_head + 1) % Entries);
        if (_head == 0)
            _phase ^= 1;
        client.Write(0, 0x1000 + (ulong)stride, (uint)_head);
        return Memory.Read(memory, Data, 4096);
    }

    public void Shutdown()
    {
        client.Write(0, 0x14, client.Read<uint>(0, 0x14) | 1 << 14);
        Bound.Until(() => (client.Read<uint>(0, 0x1C) & 0b1100) == 0b1000, "the end of the shutdown");
    }

    private void WaitForStatus(uint ready) => Bound.Until(() => (client.Read<uint>(0, 0x1C) & 1) == ready, "CSTS.RDY");
}
