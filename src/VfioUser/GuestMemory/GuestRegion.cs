using System.Runtime.CompilerServices;

namespace VfioUser;

/// <summary>A DMA region with rundown protection: its memory is released once it is closed and the last user has exited.</summary>
/// <param name="description">The region as the device sees it.</param>
/// <param name="isHeldByAccesses">Whether each access is a user; else only leases are.</param>
internal abstract class GuestRegion(DmaRegion description, bool isHeldByAccesses = true)
{
    private RundownCount _uses = RundownCount.Open;
    private volatile DirtyPages? _dirty;
    private LeaseSlots _leases;
    private DmaDrain? _drain;
    private volatile bool _isDrained;
    private readonly bool _isHeldByAccesses = isHeldByAccesses;

    /// <summary>The region as the device sees it.</summary>
    public DmaRegion Description { get; } = description;

    // copies, since every access reads them
    public bool IsReadable { get; } = description.IsReadable;

    public bool IsWritable { get; } = description.IsWritable;

    public ulong Start { get; } = description.Address.Value;

    // the last byte, not the end: a region may reach the top of the address space
    public ulong Last { get; } = description.Address.Value + (description.Length - 1);

    /// <summary>The dirty bitmap; null while writes to the region are not logged.</summary>
    public DirtyPages? Dirty
    {
        get => _dirty;
        set => _dirty = value;
    }

    /// <summary>Counts accesses; null for none.</summary>
    public DmaMeter? Meter { get; init; }

    /// <summary>How many of <paramref name="length"/> bytes from an address on lie in the region.</summary>
    /// <param name="address">Within the region.</param>
    /// <param name="length">At least 1.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Within(ulong address, int length) => (int)Math.Min((ulong)(length - 1), Last - address) + 1;

    /// <summary>Enters as a user. False once the region is closed.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryEnter() => _uses.TryEnter();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Exit()
    {
        if (_uses.Exit())
            LetGo();
    }

    /// <summary>Begins an access. False once the region is closed.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryBeginAccess() => _isHeldByAccesses ? _uses.TryEnter() : _uses.IsOpen;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void EndAccess()
    {
        if (_isHeldByAccesses)
            Exit();
    }

    /// <summary>The descriptor that is kept for it; null for none.</summary>
    public GuestFile? File { get; init; }

    /// <summary>Of its first byte in the client's file.</summary>
    public ulong FileOffset { get; init; }

    /// <summary>Whether users can enter.</summary>
    public bool IsOpen => _uses.IsOpen;

    /// <summary>Takes a slot for a lease of memory in this region. Null once it is closed.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public LeaseSlot? TryTakeLease(Dma dma, out ulong generation) => _leases.TryTake(dma, this, out generation);

    /// <summary>A slot of this region is free again.</summary>
    public void LeaseEnded(int index) => _leases.Ended(index);

    /// <summary>Whether it is closed, has no users left, and its memory is released.</summary>
    public bool IsDrained => _isDrained;

    /// <summary>Lets no new user enter. The last one to exit releases the memory and notifies <paramref name="drain"/>.</summary>
    public void Close(DmaDrain? drain = null)
    {
        _drain = drain;
        if (_uses.Close())
            LetGo();
        _leases.Retire();
    }

    /// <summary>Reads into <paramref name="destination"/>. The caller has entered, and the range lies in the region.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public DmaResult Read(ulong offset, Span<byte> destination)
    {
        DmaResult result = Get(offset, destination);
        if (result)
            Meter?.Accessed(write: false, destination.Length);
        return result;
    }

    /// <summary>Writes <paramref name="source"/>. The caller has entered, and the range lies in the region.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public DmaResult Write(ulong offset, ReadOnlySpan<byte> source)
    {
        DmaResult result = Put(offset, source);
        if (result)
            Meter?.Accessed(write: true, source.Length);
        return result;
    }

    /// <summary>Marks the pages of a completed write as dirty. The caller has not exited yet.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Written(ulong offset, int length)
    {
        if (_dirty is { } dirty && length > 0)
            dirty.Mark(offset, length);
    }

    protected abstract DmaResult Get(ulong offset, Span<byte> destination);

    protected abstract DmaResult Put(ulong offset, ReadOnlySpan<byte> source);

    protected abstract void Release();

    private void LetGo()
    {
        Release();
        File?.Release();
        _isDrained = true;
        _drain?.Leave();
    }
}
