using VfioUser.Protocol;

namespace VfioUser.Benchmarks;

/// <summary>A queue in the packed layout.</summary>
internal sealed class PackedClientQueue(VirtioClient client, int index, EventFd irq) : VirtioClientQueue(client, index, irq, isPacked: true)
{
    private const ushort Available = 1 << 7;
    private const ushort Used = 1 << 15;
    private const ushort AtDescriptor = 2;
    private const int WrapBit = 15;

    private int _next;
    private bool _nextWrap = true;
    private int _used;
    private bool _usedWrap = true;
    private int _put;

    protected override void Put(int slot)
    {
        ulong at = Descriptors + (ulong)(_next * DescriptorSize);
        Client.At<ulong>(at) = TableOf(slot);
        Client.At<int>(at + 8) = TableSize;
        Client.At<ushort>(at + 12) = (ushort)slot;
        Volatile.Write(ref Client.At<ushort>(at + 14), (ushort)(Indirect | (_nextWrap ? Available : Used)));
        _put++;
        if (++_next == Entries)
            (_next, _nextWrap) = (0, !_nextWrap);
    }

    protected override bool Offer()
    {
        (int since, _put) = (_put, 0);
        Interlocked.MemoryBarrier();
        ushort flags = Volatile.Read(ref Client.At<ushort>(DeviceArea + 2));
        if (flags != AtDescriptor)
            return flags == 0;
        ushort wanted = Volatile.Read(ref Client.At<ushort>(DeviceArea));
        int at = wanted & ((1 << WrapBit) - 1);
        if (wanted >> WrapBit != 0 != _nextWrap)
            at -= Entries;
        return at < _next && at >= _next - since;
    }

    protected override bool Arm()
    {
        Volatile.Write(ref Client.At<ushort>(DriverArea), (ushort)(_used | (_usedWrap ? 1 << WrapBit : 0)));
        Volatile.Write(ref Client.At<ushort>(DriverArea + 2), AtDescriptor);
        Interlocked.MemoryBarrier();
        return IsUsed();
    }

    protected override bool TryTakeUsed(out int slot)
    {
        slot = 0;
        if (!IsUsed())
            return false;
        slot = Client.At<ushort>(Descriptors + (ulong)(_used * DescriptorSize) + 12);
        if (++_used == Entries)
            (_used, _usedWrap) = (0, !_usedWrap);
        return true;
    }

    private bool IsUsed()
    {
        ushort flags = Volatile.Read(ref Client.At<ushort>(Descriptors + (ulong)(_used * DescriptorSize) + 14));
        return (flags & Used) != 0 == _usedWrap && (flags & Available) != 0 == _usedWrap;
    }
}
