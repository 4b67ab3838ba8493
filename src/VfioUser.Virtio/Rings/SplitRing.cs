namespace VfioUser.Virtio;

/// <summary>A ring in the split layout.</summary>
/// <remarks>VIRTIO 1.3 2.7 "Split Virtqueues".</remarks>
internal sealed class SplitRing : Ring
{
    // of the available and the used ring: flags, index, entries, event
    private const int IndexOffset = 2;
    private const int EntriesOffset = 4;
    private const int AvailableEntryLength = 2;
    private const int UsedEntryLength = 8;
    private const ushort NoInterrupt = 1;
    private const ushort NoNotify = 1;

    private ushort _next;
    private ushort _available; // the last index of the driver's that was seen
    private ushort _used;
    private ushort _published;
    private int _putBack; // since a buffer was taken last
    private ushort _signalled;

    public SplitRing(Dma dma, RingAddresses at, int size, VirtioFeatures features, RingState state)
        : base(dma, at, size, features) =>
        (_next, _available, _used, _published, _signalled) = (state.Next, state.Next, state.Used, state.Used, state.Used);

    public override bool IsMapped => Dma.IsMapped(At.Descriptors, (ulong)(Size * Descriptor.Length), writable: false)
        && Dma.IsMapped(At.Driver, (ulong)(EntriesOffset + AvailableEntryLength * (Size + 1)), writable: false)
        && Dma.IsMapped(At.Device, (ulong)(EntriesOffset + UsedEntryLength * Size + sizeof(ushort)), writable: true);

    public override RingState State => new(_next, _used, NextWrap: true, UsedWrap: true);

    public override bool HasMoreThan(int count)
    {
        _ = SeesMore();
        return (ushort)(_available - _next) > count;
    }

    private Iova UsedEvent => At.Driver + EntriesOffset + (ulong)(AvailableEntryLength * Size);

    private Iova AvailableEvent => At.Device + EntriesOffset + (ulong)(UsedEntryLength * Size);

    protected override bool Take(VirtioChain chain)
    {
        if (_available == _next && !SeesMore())
            return false;
        ulong slot = (ulong)(_next & (Size - 1));
        if (!Read(At.Driver + EntriesOffset + slot * AvailableEntryLength, RingAreas.Driver, out ushort head))
            return false;
        if (!Follow(head, chain))
            return false;
        chain.Id = head;
        _next++;
        _putBack = 0;
        return true;
    }

    protected override void Rewind(VirtioChain chain)
    {
        _next--;
        _putBack++;
    }

    protected override bool Use(VirtioChain chain)
    {
        ulong slot = (ulong)(_used & (Size - 1));
        ulong entry = chain.Id | (ulong)chain.Written << 32;
        if (!Write(At.Device + EntriesOffset + slot * UsedEntryLength, entry, RingAreas.Device))
            return false;
        _used++;
        return true;
    }

    protected override void PublishUsed()
    {
        if (_published != _used && Write(At.Device + IndexOffset, _used, RingAreas.Device))
            _published = _used;
    }

    protected override bool IsInterruptWanted()
    {
        if (_used == _signalled)
            return false;
        // the driver looks at the used index after it has written what is read here
        Interlocked.MemoryBarrier();
        if (!Read(HasEventIndex ? UsedEvent : At.Driver, RingAreas.Driver, out ushort wanted))
            return false;
        ushort before = _signalled;
        _signalled = _used;
        return HasEventIndex ? (ushort)(_used - wanted - 1) < (ushort)(_used - before) : (wanted & NoInterrupt) == 0;
    }

    protected override bool EnableNotifications()
    {
        // what was put back is no news
        ushort at = (ushort)(_next + _putBack);
        bool written = HasEventIndex ? Write(AvailableEvent, at, RingAreas.Device) : Write(At.Device, (ushort)0, RingAreas.Device);
        if (!written)
            return false;
        // the driver writes its index before it reads what was written here
        Interlocked.MemoryBarrier();
        _ = SeesMore();
        return Fault is null && _available != at;
    }

    protected override void DisableNotifications()
    {
        // with event indexes the old one stays, behind the driver's index
        if (!HasEventIndex)
            Write(At.Device, NoNotify, RingAreas.Device);
    }

    private bool SeesMore()
    {
        if (!Read(At.Driver + IndexOffset, RingAreas.Driver, out ushort index) || index == _next)
            return false;
        int more = (ushort)(index - _next);
        if (more > Size)
            return Fail($"{more} buffers available in a ring of {Size}");
        _available = index;
        return true;
    }

    private bool Follow(int index, VirtioChain chain)
    {
        for (int count = 1; ; count++)
        {
            if (index >= Size)
                return Fail($"descriptor {index} of a table of {Size}");
            if (count > Size)
                return Fail("a chain of descriptors has a loop");
            chain.Slots = count;
            if (!Read(At.Descriptors + (ulong)index * Descriptor.Length, RingAreas.Descriptors, out Descriptor descriptor))
                return false;
            if ((descriptor.Flags & DescriptorFlags.Indirect) != 0)
            {
                return (descriptor.Flags & DescriptorFlags.Next) == 0
                    ? AddTable(chain, descriptor.Address, descriptor.BufferLength, inOrder: false)
                    : Fail("a descriptor that is indirect and has a next one");
            }
            if (!Add(chain, descriptor.Address, descriptor.BufferLength, descriptor.Flags))
                return false;
            if ((descriptor.Flags & DescriptorFlags.Next) == 0)
                return true;
            index = descriptor.Next;
        }
    }
}
