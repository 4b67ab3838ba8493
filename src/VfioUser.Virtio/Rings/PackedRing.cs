namespace VfioUser.Virtio;

/// <summary>A ring in the packed layout.</summary>
/// <remarks>VIRTIO 1.3 2.8 "Packed Virtqueues".</remarks>
internal sealed class PackedRing : Ring
{
    // of the event suppression structures: offset and wrap counter, flags
    private const int EventFlagsOffset = 2;
    private const int EventLength = 4;
    private const ushort EventsEnabled = 0;
    private const ushort EventsDisabled = 1;
    private const ushort EventsAtDescriptor = 2;
    private const int WrapBit = 15;

    private int _next;
    private bool _nextWrap;
    private int _used;
    private bool _usedWrap;
    private int _putBack; // descriptors, since a buffer was taken last
    private (Iova At, DescriptorFlags Flags)? _unpublished; // the first one that was used, which hides those behind it
    private int _unsignalled; // descriptors used since the driver was asked last

    public PackedRing(Dma dma, RingAddresses at, int size, VirtioFeatures features, RingState state)
        : base(dma, at, size, features) =>
        (_next, _used, _nextWrap, _usedWrap) = (state.Next % size, state.Used % size, state.NextWrap, state.UsedWrap);

    public override bool IsMapped => Dma.IsMapped(At.Descriptors, (ulong)(Size * Descriptor.Length), writable: true)
        && Dma.IsMapped(At.Driver, EventLength, writable: false) && Dma.IsMapped(At.Device, EventLength, writable: true);

    public override RingState State => new((ushort)_next, (ushort)_used, _nextWrap, _usedWrap);

    // a buffer may have several descriptors: then there are fewer
    public override bool HasMoreThan(int count)
    {
        (int at, bool wrap) = Move(_next, _nextWrap, count);
        return Size > count && IsAvailable(at, wrap);
    }

    protected override bool Take(VirtioChain chain)
    {
        if (!IsAvailable(_next, _nextWrap))
            return false;
        int at = _next;
        bool wrap = _nextWrap;
        for (int count = 1; ; count++)
        {
            if (count > Size)
                return Fail("a chain of descriptors goes round the ring");
            if (!Read(Of(at), RingAreas.Descriptors, out PackedDescriptor descriptor))
                return false;
            if (++at == Size)
                (at, wrap) = (0, !wrap);
            bool isLast = (descriptor.Flags & DescriptorFlags.Next) == 0;
            if ((descriptor.Flags & DescriptorFlags.Indirect) != 0)
            {
                if (!isLast || count > 1)
                    return Fail("an indirect descriptor in a chain");
                if (!AddTable(chain, descriptor.Address, descriptor.BufferLength, inOrder: true))
                    return false;
            }
            else if (!Add(chain, descriptor.Address, descriptor.BufferLength, descriptor.Flags))
            {
                return false;
            }
            if (!isLast)
                continue;
            (chain.Id, chain.Slots) = (descriptor.Id, count);
            (_next, _nextWrap) = (at, wrap);
            _putBack = 0;
            return true;
        }
    }

    protected override void Rewind(VirtioChain chain)
    {
        (_next, _nextWrap) = Move(_next, _nextWrap, -chain.Slots);
        _putBack += chain.Slots;
    }

    protected override bool Use(VirtioChain chain)
    {
        Iova at = Of(_used);
        DescriptorFlags flags = (chain.Written > 0 ? DescriptorFlags.Write : 0) | (_usedWrap ? DescriptorFlags.Available | DescriptorFlags.Used : 0);
        if (!Write(at + PackedDescriptor.LengthOffset, chain.Written, RingAreas.Descriptors)
            || !Write(at + PackedDescriptor.IdOffset, chain.Id, RingAreas.Descriptors))
        {
            return false;
        }
        // the flags give the descriptor to the driver
        if (_unpublished is null)
            _unpublished = (at, flags);
        else if (!Write(at + PackedDescriptor.FlagsOffset, (ushort)flags, RingAreas.Descriptors))
            return false;
        (_used, _usedWrap) = Move(_used, _usedWrap, chain.Slots);
        _unsignalled += chain.Slots;
        return true;
    }

    protected override void PublishUsed()
    {
        if (_unpublished is { } first && Write(first.At + PackedDescriptor.FlagsOffset, (ushort)first.Flags, RingAreas.Descriptors))
            _unpublished = null;
    }

    protected override bool IsInterruptWanted()
    {
        if (_unsignalled == 0)
            return false;
        // the driver looks at the ring after it has written what is read here
        Interlocked.MemoryBarrier();
        if (!Read(At.Driver + EventFlagsOffset, RingAreas.Driver, out ushort flags))
            return false;
        bool isAtDescriptor = HasEventIndex && flags == EventsAtDescriptor;
        ushort offsetAndWrap = 0;
        if (isAtDescriptor && !Read(At.Driver, RingAreas.Driver, out offsetAndWrap))
            return false;
        int since = _unsignalled;
        _unsignalled = 0;
        if (!isAtDescriptor)
            return flags != EventsDisabled;
        int at = offsetAndWrap & ((1 << WrapBit) - 1);
        if (offsetAndWrap >> WrapBit != 0 != _usedWrap)
            at -= Size;
        return at < _used && at >= _used - since;
    }

    protected override bool EnableNotifications()
    {
        // what was put back is no news
        (int at, bool wrap) = Move(_next, _nextWrap, _putBack);
        if (HasEventIndex && !Write(At.Device, (ushort)(at | (wrap ? 1 << WrapBit : 0)), RingAreas.Device))
            return false;
        if (!Write(At.Device + EventFlagsOffset, HasEventIndex ? EventsAtDescriptor : EventsEnabled, RingAreas.Device))
            return false;
        // the driver makes a descriptor available before it reads what was written here
        Interlocked.MemoryBarrier();
        return IsAvailable(at, wrap);
    }

    protected override void DisableNotifications() => Write(At.Device + EventFlagsOffset, EventsDisabled, RingAreas.Device);

    // The flags are read before the rest: the driver writes them last.
    private bool IsAvailable(int at, bool wrap) =>
        Read(Of(at) + PackedDescriptor.FlagsOffset, RingAreas.Descriptors, out DescriptorFlags flags)
        && (flags & DescriptorFlags.Available) != 0 == wrap
        && (flags & DescriptorFlags.Used) != 0 != wrap;

    private (int At, bool Wrap) Move(int at, bool wrap, int slots)
    {
        at += slots;
        return at >= Size ? (at - Size, !wrap) : at < 0 ? (at + Size, !wrap) : (at, wrap);
    }

    private Iova Of(int index) => At.Descriptors + (ulong)index * Descriptor.Length;
}
