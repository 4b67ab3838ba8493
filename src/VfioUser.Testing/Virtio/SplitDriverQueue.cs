namespace VfioUser.Testing;

/// <summary>A queue in the split layout.</summary>
/// <remarks>VIRTIO 1.3 2.7.</remarks>
internal sealed class SplitDriverQueue : VirtioDriverQueue
{
    private const ushort NoNotify = 1;

    private readonly Queue<ushort> _free; // used in the order of the table, as long as the device gives buffers back in order
    private readonly ushort[] _next;
    private ushort _available;
    private ushort _notified;
    private ushort _used;

    public SplitDriverQueue(VirtioDriver driver, int index, int size, ushort notifyOffset)
        : base(driver, index, size, notifyOffset)
    {
        DriverArea = Memory.Allocate((ulong)(6 + 2 * size));
        DeviceArea = Memory.Allocate((ulong)(6 + 8 * size));
        _free = new Queue<ushort>(Enumerable.Range(0, size).Select(static i => (ushort)i));
        _next = new ushort[size];
    }

    public override bool TryTake(out VirtioUsed used)
    {
        used = default;
        if (Memory.Read<ushort>(DeviceArea + 2) == _used)
            return false;
        Interlocked.MemoryBarrier();
        ulong entry = Memory.Read<ulong>(DeviceArea + 4 + (ulong)(8 * (_used % Size)));
        used = new VirtioUsed((ushort)entry, (uint)(entry >> 32));
        _used++;
        if (HasEventIndex)
            Memory.Write(DriverArea + 4 + (ulong)(2 * Size), _used);
        for (int at = used.Id; at >= 0 && at < Size;)
        {
            ushort flags = Memory.Read<ushort>(Of(at) + 12);
            _free.Enqueue((ushort)at);
            at = (flags & NextFlag) != 0 ? _next[at] : -1;
        }
        return true;
    }

    private protected override ushort AddParts(ReadOnlySpan<VirtioPart> parts, ushort flags)
    {
        if (_free.Count < parts.Length)
            throw new TestGuestException($"Queue {Index} of {Size} entries has room for {_free.Count}, and not for {parts.Length}.");
        Span<ushort> at = stackalloc ushort[parts.Length];
        for (int i = 0; i < parts.Length; i++)
            at[i] = _free.Dequeue();
        for (int i = 0; i < parts.Length; i++)
        {
            bool isLast = i == parts.Length - 1;
            _next[at[i]] = isLast ? (ushort)0 : at[i + 1];
            PutDescriptor(Of(at[i]), parts[i], (ushort)(flags | FlagsOf(parts[i]) | (isLast ? 0 : NextFlag)), _next[at[i]]);
        }
        Memory.Write(DriverArea + 4 + (ulong)(2 * (_available % Size)), at[0]);
        Interlocked.MemoryBarrier();
        Memory.Write(DriverArea + 2, ++_available);
        return at[0];
    }

    private protected override ushort Progress => _available;

    private protected override bool WantsNotification()
    {
        Interlocked.MemoryBarrier();
        ushort before = _notified;
        _notified = _available;
        if (!HasEventIndex)
            return (Memory.Read<ushort>(DeviceArea) & NoNotify) == 0;
        ushort at = Memory.Read<ushort>(DeviceArea + 4 + (ulong)(8 * Size));
        return (ushort)(_available - at - 1) < (ushort)(_available - before);
    }

    private protected override bool EnableInterrupts()
    {
        if (HasEventIndex)
            Memory.Write(DriverArea + 4 + (ulong)(2 * Size), _used);
        else
            Memory.Write(DriverArea, (ushort)0);
        Interlocked.MemoryBarrier();
        return true;
    }

    private protected override void PutTableEntry(Iova at, in VirtioPart part, int index, bool isLast) =>
        PutDescriptor(at, part, (ushort)(FlagsOf(part) | (isLast ? 0 : NextFlag)), (ushort)(isLast ? 0 : index + 1));

    private static ushort FlagsOf(in VirtioPart part) => part.Writable ? WriteFlag : (ushort)0;

    private Iova Of(int index) => Descriptors + (ulong)(16 * index);
}
