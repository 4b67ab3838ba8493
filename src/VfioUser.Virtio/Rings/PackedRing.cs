namespace VfioUser.Virtio;

/// <summary>A ring in the packed layout.</summary>
/// <remarks>VIRTIO 1.3 2.8 "Packed Virtqueues".</remarks>
internal sealed class PackedRing : Ring
{
    // of the event suppression structures: offset and wrap counter, flags
    private const int EventFlagsOffset = 2;
    private const ushort EventsEnabled = 0;
    private const ushort EventsDisabled = 1;
    private const ushort EventsAtDescriptor = 2;
    private const int WrapBit = 15;

    private int _next;
    private bool _nextWrap;
    private int _used;
    private bool _usedWrap;
    private int _unsignalled; // descriptors used since the driver was asked last

    public PackedRing(Dma dma, RingAddresses at, int size, VirtioFeatures features, RingState state)
        : base(dma, at, size, features) =>
        (_next, _used, _nextWrap, _usedWrap) = (state.Next % size, state.Used % size, state.NextWrap, state.UsedWrap);

    public override RingState State => new((ushort)_next, (ushort)_used, _nextWrap, _usedWrap);

    protected override bool Take(VirtioChain chain)
    {
        if (!IsAvailable())
            return false;
        int at = _next;
        bool wrap = _nextWrap;
        for (int count = 1; ; count++)
        {
            if (count > Size)
                return Fail("a chain of descriptors goes round the ring");
            if (!Read(Of(at), "the descriptor ring", out PackedDescriptor descriptor))
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
            return true;
        }
    }

    protected override void Use(VirtioChain chain)
    {
        Iova at = Of(_used);
        DescriptorFlags flags = (chain.Written > 0 ? DescriptorFlags.Write : 0) | (_usedWrap ? DescriptorFlags.Available | DescriptorFlags.Used : 0);
        // the flags give the descriptor to the driver
        if (!Write(at + PackedDescriptor.LengthOffset, chain.Written, "the descriptor ring")
            || !Write(at + PackedDescriptor.IdOffset, chain.Id, "the descriptor ring")
            || !Write(at + PackedDescriptor.FlagsOffset, (ushort)flags, "the descriptor ring"))
        {
            return;
        }
        _used += chain.Slots;
        _unsignalled += chain.Slots;
        if (_used >= Size)
            (_used, _usedWrap) = (_used - Size, !_usedWrap);
    }

    protected override bool IsInterruptWanted()
    {
        if (_unsignalled == 0)
            return false;
        // the driver looks at the ring after it has written what is read here
        Interlocked.MemoryBarrier();
        int since = _unsignalled;
        _unsignalled = 0;
        if (!Read(At.Driver + EventFlagsOffset, "the driver's event suppression", out ushort flags))
            return false;
        if (!HasEventIndex || flags != EventsAtDescriptor)
            return flags != EventsDisabled;
        if (!Read(At.Driver, "the driver's event suppression", out ushort offsetAndWrap))
            return false;
        int at = offsetAndWrap & ((1 << WrapBit) - 1);
        if (offsetAndWrap >> WrapBit != 0 != _usedWrap)
            at -= Size;
        return at < _used && at >= _used - since;
    }

    protected override bool EnableNotifications()
    {
        if (HasEventIndex && !Write(At.Device, (ushort)(_next | (_nextWrap ? 1 << WrapBit : 0)), "the device's event suppression"))
            return false;
        if (!Write(At.Device + EventFlagsOffset, HasEventIndex ? EventsAtDescriptor : EventsEnabled, "the device's event suppression"))
            return false;
        // the driver makes a descriptor available before it reads what was written here
        Interlocked.MemoryBarrier();
        return IsAvailable();
    }

    protected override void DisableNotifications() => Write(At.Device + EventFlagsOffset, EventsDisabled, "the device's event suppression");

    // The flags are read before the rest: the driver writes them last.
    private bool IsAvailable() =>
        Read(Of(_next) + PackedDescriptor.FlagsOffset, "the descriptor ring", out DescriptorFlags flags)
        && (flags & DescriptorFlags.Available) != 0 == _nextWrap
        && (flags & DescriptorFlags.Used) != 0 != _nextWrap;

    private Iova Of(int index) => At.Descriptors + (ulong)index * Descriptor.Length;
}
