namespace VfioUser.Testing;

/// <summary>A queue in the packed layout.</summary>
/// <remarks>VIRTIO 1.3 2.8.</remarks>
internal sealed class PackedDriverQueue : VirtioDriverQueue
{
    private const ushort AvailableFlag = 1 << 7;
    private const ushort UsedFlag = 1 << 15;
    private const int WrapBit = 15;

    private readonly Stack<ushort> _ids;
    private readonly int[] _slots; // how many entries each buffer takes
    private int _free;
    private int _next;
    private bool _nextWrap = true;
    private int _used;
    private bool _usedWrap = true;
    private int _sinceNotified;

    public PackedDriverQueue(VirtioDriver driver, int index, int size, ushort notifyOffset)
        : base(driver, index, size, notifyOffset)
    {
        DriverArea = Memory.Allocate(4);
        DeviceArea = Memory.Allocate(4);
        _ids = new Stack<ushort>(Enumerable.Range(0, size).Reverse().Select(static i => (ushort)i));
        _slots = new int[size];
        _free = size;
    }

    public override bool TryTake(out VirtioUsed used)
    {
        used = default;
        ushort flags = Memory.Read<ushort>(Of(_used) + 14);
        if ((flags & UsedFlag) != 0 != _usedWrap || (flags & AvailableFlag) != 0 != _usedWrap)
            return false;
        Interlocked.MemoryBarrier();
        used = new VirtioUsed(Memory.Read<ushort>(Of(_used) + 12), Memory.Read<uint>(Of(_used) + 8));
        int slots = used.Id < Size ? _slots[used.Id] : 1;
        _ids.Push(used.Id);
        _free += slots;
        _used += slots;
        if (_used >= Size)
            (_used, _usedWrap) = (_used - Size, !_usedWrap);
        return true;
    }

    private protected override ushort AddParts(ReadOnlySpan<VirtioPart> parts, ushort flags)
    {
        if (_free < parts.Length)
            throw new TestGuestException($"Queue {Index} of {Size} entries has room for {_free}, and not for {parts.Length}.");
        ushort id = _ids.Pop();
        _slots[id] = parts.Length;
        _free -= parts.Length;
        _sinceNotified += parts.Length;
        int head = _next;
        ushort headFlags = 0;
        for (int i = 0; i < parts.Length; i++)
        {
            ushort own = (ushort)(flags | (parts[i].Writable ? WriteFlag : 0) | (i < parts.Length - 1 ? NextFlag : 0) | (_nextWrap ? AvailableFlag : UsedFlag));
            if (i == 0)
                headFlags = own;
            // the first one last, which gives all of them to the device
            PutDescriptor(Of(_next), parts[i], id, i == 0 ? (ushort)(own ^ (AvailableFlag | UsedFlag)) : own);
            if (++_next == Size)
                (_next, _nextWrap) = (0, !_nextWrap);
        }
        Interlocked.MemoryBarrier();
        Memory.Write(Of(head) + 14, headFlags);
        return id;
    }

    private protected override ushort Progress => (ushort)(_next | (_nextWrap ? 1 << WrapBit : 0));

    private protected override bool WantsNotification()
    {
        Interlocked.MemoryBarrier();
        int since = _sinceNotified;
        _sinceNotified = 0;
        ushort flags = Memory.Read<ushort>(DeviceArea + 2);
        if (!HasEventIndex || flags != 2)
            return flags != 1;
        ushort offsetAndWrap = Memory.Read<ushort>(DeviceArea);
        int at = offsetAndWrap & ((1 << WrapBit) - 1);
        if (offsetAndWrap >> WrapBit != 0 != _nextWrap)
            at -= Size;
        return at < _next && at >= _next - since;
    }

    private protected override bool EnableInterrupts()
    {
        if (HasEventIndex)
            Memory.Write(DriverArea, (ushort)(_used | (_usedWrap ? 1 << WrapBit : 0)));
        Memory.Write(DriverArea + 2, (ushort)(HasEventIndex ? 2 : 0));
        Interlocked.MemoryBarrier();
        return true;
    }

    private protected override void PutTableEntry(Iova at, in VirtioPart part, int index, bool isLast) =>
        PutDescriptor(at, part, 0, part.Writable ? WriteFlag : (ushort)0);

    private Iova Of(int index) => Descriptors + (ulong)(16 * index);
}
