using System.Runtime.InteropServices;
using VfioUser.Protocol;

namespace VfioUser.Benchmarks;

/// <summary>A queue pair as a driver has it.</summary>
internal sealed class NvmeClientQueue : ILoadQueue
{
    public const int Entries = 256;
    private const int BlockSize = 4096;
    private const int Slots = 128;

    private readonly NvmeClient _client;
    private readonly int _id;
    private readonly EventFd _irq;
    private readonly ulong _data;
    private uint _tail;
    private uint _head;
    private int _phase = 1;

    public NvmeClientQueue(NvmeClient client, int id, EventFd irq)
    {
        (_client, _id, _irq) = (client, id, irq);
        Submissions = client.Allocate(Entries * 64);
        Completions = client.Allocate(Entries * 16);
        _data = client.Allocate(Slots * BlockSize);
    }

    public ulong Submissions { get; }

    public ulong Completions { get; }

    public void Put(int slot, long block, bool write) =>
        Put((byte)(write ? 1 : 2), slot, 1, _data + (ulong)slot * BlockSize, 0, (uint)block, 0);

    public void Ring() => _client.Ring(2 * _id, _tail);

    public void Wait()
    {
        while (_irq.Take() == 0)
        {
            if (!_irq.Wait(TimeSpan.FromMinutes(1)))
                throw new TimeoutException($"Queue {_id} had no interrupt for a minute.");
        }
    }

    public bool TryTake(out int slot)
    {
        ref ulong upper = ref MemoryMarshal.AsRef<ulong>(_client.Memory(Completions + _head * 16 + 8, sizeof(ulong)));
        ulong value = Volatile.Read(ref upper);
        slot = (ushort)(value >> 32);
        if ((int)(value >> 48 & 1) != _phase)
            return false;
        if (value >> 49 != 0)
            throw new InvalidOperationException($"Queue {_id} completed command {slot} with status 0x{value >> 49:x}.");
        if (++_head == Entries)
            (_head, _phase) = (0, 1 - _phase);
        return true;
    }

    public void Taken() => _client.Ring(2 * _id + 1, _head);

    /// <summary>Has an admin command done.</summary>
    public void Execute(byte opcode, ulong prp1, ulong prp2, uint dword10, uint dword11)
    {
        Put(opcode, 0, 0, prp1, prp2, dword10, dword11);
        Ring();
        while (!TryTake(out _))
            Wait();
        Taken();
    }

    private void Put(byte opcode, int id, uint nsid, ulong prp1, ulong prp2, uint dword10, uint dword11)
    {
        Span<byte> entry = _client.Memory(Submissions + _tail * 64, 64);
        entry.Clear();
        Span<uint> dwords = MemoryMarshal.Cast<byte, uint>(entry);
        dwords[0] = opcode | (uint)id << 16;
        dwords[1] = nsid;
        MemoryMarshal.Write(entry[24..], prp1);
        MemoryMarshal.Write(entry[32..], prp2);
        (dwords[10], dwords[11]) = (dword10, dword11);
        _tail = (_tail + 1) % Entries;
    }
}
