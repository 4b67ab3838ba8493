namespace VfioUser;

/// <summary>Logs events of guest memory, and provides its meters.</summary>
/// <remarks>Command thread.</remarks>
internal interface IGuestMemoryObserver
{
    void Mapped(DmaRegion region);

    /// <summary>A region is not accessed with loads and stores. Called once for each reason.</summary>
    void NotMapped(Iova address, ulong length, DmaBacking backing, string reason);

    /// <summary>An unmap is still waiting for the users of a region.</summary>
    void UnmapWaits(DmaRegion region);

    /// <summary>The server stops while a region is in use.</summary>
    void UnmapAbandoned(DmaRegion region);

    void DirtyPagesStarted(ulong pageSize, long bytes);

    void DirtyPagesTooLarge(long bytes, long limit);

    /// <summary>The device accesses memory while the guest has not enabled bus mastering. Any thread; once until it does.</summary>
    void WithoutBusMaster(Iova address);

    DmaMeter MeterOf(DmaBacking backing);
}
