namespace VfioUser.Nvme;

/// <summary>A command's data in guest memory: scattered pieces, accessed as one buffer.</summary>
/// <remarks>One thread, during one call: it is reused for every command, so that none allocates.</remarks>
internal sealed class NvmeData(Dma dma)
{
    /// <summary>Most pieces of a buffer: it limits the work that a guest can cause.</summary>
    public const int MaxPieces = 1024;

    private readonly DmaList _list = new(dma);

    /// <summary>In bytes.</summary>
    public int Length => (int)_list.Length;

    public int Pieces => _list.Count;

    public Dma Dma => dma;

    /// <summary>The data as disks access it.</summary>
    public GuestBuffer Buffer => new(_list, 0, Length);

    public void Clear() => _list.Clear();

    /// <summary>Adds the next piece; merges it with an adjacent one.</summary>
    /// <returns>False when there are too many pieces.</returns>
    public bool TryAdd(ulong address, int length)
    {
        _list.Add(new Iova(address), (uint)length);
        return _list.Count <= MaxPieces;
    }

    /// <summary>Copies from the guest, which may change the bytes at any time.</summary>
    /// <param name="offset">Within the data, in bytes.</param>
    /// <param name="destination">Filled completely on success.</param>
    /// <returns>False when some of it is not mapped, or behind the end.</returns>
    public bool TryCopyTo(int offset, Span<byte> destination) => _list.TryRead(offset, destination);

    /// <summary>Copies to the guest.</summary>
    /// <param name="offset">Within the data, in bytes.</param>
    /// <param name="source">The bytes.</param>
    /// <returns>False when some of it is not mapped, or behind the end.</returns>
    public bool TryCopyFrom(int offset, ReadOnlySpan<byte> source) => _list.TryWrite(offset, source);
}
