using System.Runtime.InteropServices;

namespace VfioUser.Virtio;

/// <summary>The device's side of a queue in guest memory. One thread at a time.</summary>
/// <remarks>
/// Each value that the guest writes is read once and checked before it is used. What is wrong with the ring itself is its
/// <see cref="Fault"/>, and nothing is taken from it any more. Memory that is not there for now is no fault: without bus mastering or a
/// client, or while a client changes its layout of memory. QEMU does that while the firmware boots from the disk.
/// </remarks>
internal abstract class Ring
{
    // Linux makes indirect tables that are longer than a short ring
    private const int MaxTable = 1024;

    private readonly bool _hasIndirect;
    private byte[] _table = [];
    private int _outstanding; // entries of buffers that the device has taken and not returned
    private RingAreas _reached; // mapped once: what is not mapped there is no mistake
    private long _tablesReached; // the layout of memory then
    private volatile bool _isPaused;

    protected Ring(Dma dma, RingAddresses at, int size, VirtioFeatures features)
    {
        Dma = dma;
        At = at;
        Size = size;
        _tablesReached = dma.Generation;
        _reached = IfMapped(at.Descriptors, RingAreas.Descriptors) | IfMapped(at.Driver, RingAreas.Driver) | IfMapped(at.Device, RingAreas.Device);
        HasEventIndex = (features & VirtioFeatures.EventIndex) != 0;
        IsInOrder = (features & VirtioFeatures.InOrder) != 0;
        _hasIndirect = (features & VirtioFeatures.IndirectDescriptors) != 0;
    }

    /// <summary>Whether only memory that is mapped may be accessed: it is used on another device's thread, which must not wait for this
    /// one's client.</summary>
    public bool InPlaceOnly { get; set; }

    /// <summary>Whether the ring itself is mapped.</summary>
    public abstract bool IsMapped { get; }

    /// <summary>Whether the driver relies on getting its buffers back in their order.</summary>
    public bool IsInOrder { get; }

    /// <summary>Whether some of it is unmapped that was mapped, or bus mastering is off: it is not used until that changes.</summary>
    public bool IsPaused
    {
        get => _isPaused;
        set => _isPaused = value;
    }

    /// <summary>Why it is paused. Meaningful while it is.</summary>
    public string PausedFor { get; private set; } = "";

    /// <summary>What the driver has done wrong; null for nothing.</summary>
    public string? Fault { get; private set; }

    public abstract RingState State { get; }

    protected Dma Dma { get; }

    protected RingAddresses At { get; }

    public int Size { get; }

    protected bool HasEventIndex { get; }

    public static Ring Create(Dma dma, RingAddresses at, int size, VirtioFeatures features, RingState state) =>
        (features & VirtioFeatures.RingPacked) != 0
            ? new PackedRing(dma, at, size, features, state)
            : new SplitRing(dma, at, size, features, state);

    /// <summary>Takes the next available buffer.</summary>
    /// <param name="chain">An empty one, which then has the buffer's memory.</param>
    /// <returns>False if there is none.</returns>
    public bool TryTake(VirtioChain chain)
    {
        if (Fault is not null || _isPaused || !Take(chain))
            return false;
        _outstanding += chain.Slots;
        return _outstanding <= Size || Fail($"buffers with {_outstanding} entries at once in a ring of {Size}");
    }

    /// <summary>Whether there may be more buffers to take than a few.</summary>
    public abstract bool HasMoreThan(int count);

    /// <summary>Leaves the buffer that was taken last to be taken again.</summary>
    public void PutBack(VirtioChain chain)
    {
        if (Fault is not null)
            return;
        _outstanding -= chain.Slots;
        Rewind(chain);
    }

    /// <summary>Makes all that was returned visible to the driver, at once.</summary>
    public void Publish()
    {
        if (Fault is null && !_isPaused)
            PublishUsed();
    }

    /// <summary>Gives a buffer back to the driver, which sees it after <see cref="Publish"/>.</summary>
    /// <returns>False if the ring is paused: then it has to be given back once more.</returns>
    public bool TryReturn(VirtioChain chain)
    {
        if (Fault is not null)
            return true;
        if (_isPaused || (!Use(chain) && _isPaused))
            return false;
        _outstanding -= chain.Slots;
        return true;
    }

    /// <summary>Whether the driver wants an interrupt for what was used since it was asked last.</summary>
    public bool TakeInterrupt() => Fault is null && !_isPaused && IsInterruptWanted();

    /// <summary>Has the driver notify the device of the next available buffer.</summary>
    /// <returns>Whether there is one already.</returns>
    public bool Arm() => Fault is null && !_isPaused && EnableNotifications();

    /// <summary>Tells the driver that the device polls, and needs no notification.</summary>
    public void Disarm()
    {
        if (Fault is null && !_isPaused)
            DisableNotifications();
    }

    protected abstract bool Take(VirtioChain chain);

    protected abstract void Rewind(VirtioChain chain);

    /// <returns>False if it was not written.</returns>
    protected abstract bool Use(VirtioChain chain);

    protected abstract void PublishUsed();

    protected abstract bool IsInterruptWanted();

    protected abstract bool EnableNotifications();

    protected abstract void DisableNotifications();

    /// <summary>The driver has broken the ring.</summary>
    /// <returns>False.</returns>
    protected bool Fail(string fault)
    {
        Fault ??= fault;
        return false;
    }

    /// <summary>Reads from an area of the ring.</summary>
    protected bool Read<T>(Iova address, RingAreas area, out T value)
        where T : unmanaged
    {
        DmaResult result;
        long generation;
        do
        {
            generation = Dma.Generation;
            result = Dma.TryRead(address, out value);
            if (!result)
                continue;
            _reached |= area;
            return true;
        }
        while (IsWorthAnother(result, (_reached & area) != 0, generation, area));
        return false;
    }

    /// <summary>Writes to an area of the ring.</summary>
    protected bool Write<T>(Iova address, T value, RingAreas area)
        where T : unmanaged, System.Numerics.IBinaryInteger<T>, System.Numerics.IUnsignedNumber<T>
    {
        DmaResult result;
        long generation;
        do
        {
            generation = Dma.Generation;
            result = Dma.TryWrite(address, value);
            if (!result)
                continue;
            _reached |= area;
            return true;
        }
        while (IsWorthAnother(result, (_reached & area) != 0, generation, area));
        return false;
    }

    /// <summary>Adds the memory of one descriptor.</summary>
    protected bool Add(VirtioChain chain, ulong address, uint length, DescriptorFlags flags)
    {
        if ((flags & DescriptorFlags.Write) != 0)
            chain.Writable.Add(new Iova(address), length);
        else if (chain.Writable.Count > 0)
            return Fail("a readable descriptor follows a writable one");
        else
            chain.Readable.Add(new Iova(address), length);
        return chain.Readable.Length + chain.Writable.Length <= uint.MaxValue || Fail("a buffer has more than 4 GiB");
    }

    /// <summary>Adds the memory of an indirect table.</summary>
    /// <param name="chain">What to add to.</param>
    /// <param name="address">First byte of the table.</param>
    /// <param name="length">Its length in bytes.</param>
    /// <param name="inOrder">Whether it is a packed ring's, of which all entries count; those of others are linked.</param>
    protected bool AddTable(VirtioChain chain, ulong address, uint length, bool inOrder)
    {
        if (!_hasIndirect)
            return Fail("an indirect descriptor without the feature");
        if (length == 0 || length % Descriptor.Length != 0 || length / Descriptor.Length > Math.Max(Size, MaxTable))
            return Fail($"an indirect table of {length} bytes");
        int count = (int)(length / Descriptor.Length);
        if (_table.Length < length)
            _table = new byte[Math.Max(Size, MaxTable) * Descriptor.Length];
        if (InPlaceOnly && !Dma.IsMapped(new Iova(address), length, writable: false))
            return false;
        Span<byte> bytes = _table.AsSpan(0, (int)length);
        if (!ReadTable(new Iova(address), bytes))
            return false;
        return inOrder ? AddAll(chain, MemoryMarshal.Cast<byte, PackedDescriptor>(bytes)) : AddLinked(chain, MemoryMarshal.Cast<byte, Descriptor>(bytes));
    }

    private RingAreas IfMapped(Iova address, RingAreas area) => Dma.Find(address) is null ? RingAreas.None : area;

    private bool ReadTable(Iova address, Span<byte> bytes)
    {
        DmaResult result;
        long generation;
        do
        {
            generation = Dma.Generation;
            result = Dma.TryRead(address, bytes);
            if (!result)
                continue;
            _tablesReached = generation;
            return true;
        }
        while (IsWorthAnother(result, generation != _tablesReached, generation, RingAreas.Table));
        return false;
    }

    // After an access that was not done. A wrong address is the driver's fault, unless it may have been unmapped since the driver gave it:
    // then the ring is paused, or, if memory was mapped meanwhile, the access is worth another try. So it is without bus mastering.
    private bool IsWorthAnother(DmaResult result, bool mayHaveBeenMapped, long generation, RingAreas area)
    {
        if (result.Status == DmaStatus.BusMasterOff || (result.Status == DmaStatus.NotMapped && mayHaveBeenMapped))
        {
            PausedFor = $"{Name(area)}: {result}";
            _isPaused = true;
            // who maps memory, or enables bus mastering, looks for it afterwards
            Interlocked.MemoryBarrier();
            if (Dma.Generation == generation)
                return false;
            _isPaused = false;
            return true;
        }
        if (result.IsBadAddress)
            Fail($"{Name(area)}: {result}");
        return false;
    }

    private static string Name(RingAreas area) => area switch
    {
        RingAreas.Descriptors => "the descriptors",
        RingAreas.Driver => "the driver area",
        RingAreas.Device => "the device area",
        _ => "an indirect table",
    };

    private bool AddLinked(VirtioChain chain, ReadOnlySpan<Descriptor> table)
    {
        for (int index = 0, added = 1; ; added++)
        {
            if (index >= table.Length)
                return Fail($"entry {index} of an indirect table of {table.Length}");
            if (added > table.Length)
                return Fail("an indirect table has a loop");
            Descriptor entry = table[index];
            if (!AddEntry(chain, entry.Address, entry.BufferLength, entry.Flags))
                return false;
            if ((entry.Flags & DescriptorFlags.Next) == 0)
                return true;
            index = entry.Next;
        }
    }

    private bool AddAll(VirtioChain chain, ReadOnlySpan<PackedDescriptor> table)
    {
        foreach (ref readonly PackedDescriptor entry in table)
        {
            if (!AddEntry(chain, entry.Address, entry.BufferLength, entry.Flags))
                return false;
        }
        return true;
    }

    private bool AddEntry(VirtioChain chain, ulong address, uint length, DescriptorFlags flags) =>
        (flags & DescriptorFlags.Indirect) != 0 ? Fail("an indirect table within another") : Add(chain, address, length, flags);
}
