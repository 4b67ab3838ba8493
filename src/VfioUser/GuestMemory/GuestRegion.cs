using System.Runtime.CompilerServices;

namespace VfioUser;

/// <summary>A region of guest memory and its users: the memory is let go when it was closed and the last of them has left.</summary>
internal abstract class GuestRegion(DmaRegion description)
{
    private RundownCount _uses = RundownCount.Open;
    private volatile DirtyPages? _dirty;
    private DmaDrain? _drain;
    private volatile bool _isDrained;

    /// <summary>As the device's author sees it.</summary>
    public DmaRegion Description { get; } = description;

    // copies, for they are looked at in every access
    public bool IsReadable { get; } = description.IsReadable;

    public bool IsWritable { get; } = description.IsWritable;

    public ulong Start { get; } = description.Address.Value;

    // the last byte, not the one after it: a region may end at the top of the address space
    public ulong Last { get; } = description.Address.Value + (description.Length - 1);

    /// <summary>Where writes are noted; null while the client does not want to know.</summary>
    public DirtyPages? Dirty
    {
        get => _dirty;
        set => _dirty = value;
    }

    /// <summary>Counts the uses; null for nobody.</summary>
    public DmaMeter? Meter { get; init; }

    /// <summary>How many bytes from an address in it lie in it, of so many.</summary>
    /// <param name="address">Within the region.</param>
    /// <param name="length">At least 1.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Within(ulong address, int length) => (int)Math.Min((ulong)(length - 1), Last - address) + 1;

    /// <summary>Begins a use. False once closing has begun.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryEnter() => _uses.TryEnter();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Exit()
    {
        if (_uses.Exit())
            LetGo();
    }

    /// <summary>Whether it was closed and nobody uses it any more.</summary>
    public bool IsDrained => _isDrained;

    /// <summary>Lets no new user in. Whoever leaves last lets the memory go, and tells.</summary>
    public void Close(DmaDrain? drain = null)
    {
        _drain = drain;
        if (_uses.Close())
            LetGo();
    }

    /// <summary>Fills <paramref name="destination"/>; the caller is in, and stays within the region.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public DmaResult Read(ulong offset, Span<byte> destination)
    {
        DmaResult result = Get(offset, destination);
        if (result == DmaResult.Done)
            Meter?.Accessed(write: false, destination.Length);
        return result;
    }

    /// <summary>Takes <paramref name="source"/>; the caller is in, and stays within the region.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public DmaResult Write(ulong offset, ReadOnlySpan<byte> source)
    {
        DmaResult result = Put(offset, source);
        if (result == DmaResult.Done)
            Meter?.Accessed(write: true, source.Length);
        return result;
    }

    /// <summary>Notes a write that is done; the caller is still in.</summary>
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
        _isDrained = true;
        _drain?.Leave();
    }
}
