namespace VfioUser;

/// <summary>Told of what happens to guest memory; gives what counts its uses.</summary>
/// <remarks>Command thread.</remarks>
internal interface IGuestMemoryObserver
{
    void Mapped(DmaRegion region);

    /// <summary>A region is reached by something else than loads and stores. Told once for each reason.</summary>
    void NotMapped(Iova address, ulong length, DmaBacking backing, string reason);

    /// <summary>An unmap still waits for the users of a region.</summary>
    void UnmapWaits(DmaRegion region);

    /// <summary>The server stops while a region is in use.</summary>
    void UnmapAbandoned(DmaRegion region);

    void DirtyPagesStarted(ulong pageSize, long bytes);

    void DirtyPagesTooLarge(long bytes, long limit);

    DmaMeter MeterOf(DmaBacking backing);
}
