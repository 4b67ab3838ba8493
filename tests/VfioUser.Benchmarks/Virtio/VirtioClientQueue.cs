using System.Runtime.InteropServices;
using VfioUser.Protocol;

namespace VfioUser.Benchmarks;

/// <summary>A queue of a virtio disk as a driver has it: each slot has an indirect table of header, data and status.</summary>
internal abstract class VirtioClientQueue : ILoadQueue
{
    public const int Entries = 256;

    protected const int DescriptorSize = 16;
    protected const int TableSize = 3 * DescriptorSize;
    protected const ushort Indirect = 4;

    private const int BlockSize = 4096;
    private const int Slots = 128;
    private const int Stride = 128; // table, header, status
    private const int HeaderOffset = 64;
    private const int StatusOffset = 96;
    private const ushort Next = 1;
    private const ushort Writable = 2;

    private readonly int _index;
    private readonly EventFd _irq;
    private readonly ulong _slots;
    private readonly bool _isPacked;

    protected VirtioClientQueue(VirtioClient client, int index, EventFd irq, bool isPacked)
    {
        (Client, _index, _irq, _isPacked) = (client, index, irq, isPacked);
        Descriptors = client.Allocate(Entries * DescriptorSize);
        DriverArea = client.Allocate(4096);
        DeviceArea = client.Allocate(4096);
        _slots = client.Allocate(Slots * Stride);
        ulong data = client.Allocate(Slots * BlockSize);
        for (int slot = 0; slot < Slots; slot++)
        {
            PutEntry(slot, 0, TableOf(slot) + HeaderOffset, DescriptorSize);
            PutEntry(slot, 1, data + (ulong)(slot * BlockSize), BlockSize);
            PutEntry(slot, 2, TableOf(slot) + StatusOffset, 1);
            PutFlags(slot, 2, Writable, 0);
        }
    }

    public ulong Descriptors { get; }

    public ulong DriverArea { get; }

    public ulong DeviceArea { get; }

    protected VirtioClient Client { get; }

    public void Put(int slot, long block, bool write)
    {
        Span<byte> header = Client.Memory(TableOf(slot) + HeaderOffset, DescriptorSize);
        MemoryMarshal.Write(header, write ? 1ul : 0);
        MemoryMarshal.Write(header[8..], block * (BlockSize / 512));
        PutFlags(slot, 0, Next, 1);
        PutFlags(slot, 1, (ushort)(Next | (write ? 0 : Writable)), 2);
        Put(slot);
    }

    public void Ring()
    {
        if (Offer())
            Client.Tell(_index);
    }

    public void Wait()
    {
        while (!Arm())
        {
            if (_irq.Take() == 0 && !_irq.Wait(TimeSpan.FromMinutes(1)))
                throw new TimeoutException($"Queue {_index} had no interrupt for a minute.");
        }
    }

    public bool TryTake(out int slot)
    {
        if (!TryTakeUsed(out slot))
            return false;
        if (Client.At<byte>(TableOf(slot) + StatusOffset) is not 0 and var status)
            throw new InvalidOperationException($"Queue {_index} completed request {slot} with status {status}.");
        return true;
    }

    public void Taken()
    {
        // nothing to tell: an interrupt is asked for before a wait
    }

    protected ulong TableOf(int slot) => _slots + (ulong)(slot * Stride);

    protected abstract void Put(int slot);

    /// <summary>Makes what was put available.</summary>
    /// <returns>Whether the device wants to be told.</returns>
    protected abstract bool Offer();

    /// <summary>Asks for an interrupt.</summary>
    /// <returns>Whether something is done already.</returns>
    protected abstract bool Arm();

    protected abstract bool TryTakeUsed(out int slot);

    private void PutEntry(int slot, int entry, ulong address, int length)
    {
        Span<byte> bytes = Client.Memory(TableOf(slot) + (ulong)(entry * DescriptorSize), DescriptorSize);
        MemoryMarshal.Write(bytes, address);
        MemoryMarshal.Write(bytes[8..], length);
    }

    // in packed tables flags are last, and entries follow one another
    private void PutFlags(int slot, int entry, ushort flags, ushort next)
    {
        Span<byte> bytes = Client.Memory(TableOf(slot) + (ulong)(entry * DescriptorSize) + 12, 4);
        MemoryMarshal.Write(bytes, _isPacked ? (ushort)0 : flags);
        MemoryMarshal.Write(bytes[2..], _isPacked ? (ushort)(flags & ~Next) : next);
    }
}
