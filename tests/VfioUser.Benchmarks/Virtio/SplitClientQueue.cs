using VfioUser.Protocol;

namespace VfioUser.Benchmarks;

/// <summary>A queue in the split layout.</summary>
internal sealed class SplitClientQueue : VirtioClientQueue
{
    private ushort _available;
    private ushort _offered;
    private ushort _used;

    public SplitClientQueue(VirtioClient client, int index, EventFd irq)
        : base(client, index, irq, isPacked: false)
    {
        for (int slot = 0; slot < 128; slot++)
        {
            ulong at = Descriptors + (ulong)(slot * DescriptorSize);
            Client.At<ulong>(at) = TableOf(slot);
            Client.At<int>(at + 8) = TableSize;
            Client.At<ushort>(at + 12) = Indirect;
        }
    }

    protected override void Put(int slot) => Client.At<ushort>(DriverArea + 4 + (ulong)(2 * (_available++ % Entries))) = (ushort)slot;

    protected override bool Offer()
    {
        (ushort before, _offered) = (_offered, _available);
        Volatile.Write(ref Client.At<ushort>(DriverArea + 2), _available);
        Interlocked.MemoryBarrier();
        ushort wanted = Volatile.Read(ref Client.At<ushort>(DeviceArea + 4 + 8 * Entries));
        return (ushort)(_available - wanted - 1) < (ushort)(_available - before);
    }

    protected override bool Arm()
    {
        Volatile.Write(ref Client.At<ushort>(DriverArea + 4 + 2 * Entries), _used);
        Interlocked.MemoryBarrier();
        return Volatile.Read(ref Client.At<ushort>(DeviceArea + 2)) != _used;
    }

    protected override bool TryTakeUsed(out int slot)
    {
        slot = 0;
        if (Volatile.Read(ref Client.At<ushort>(DeviceArea + 2)) == _used)
            return false;
        slot = Client.At<int>(DeviceArea + 4 + (ulong)(8 * (_used++ % Entries)));
        return true;
    }
}
