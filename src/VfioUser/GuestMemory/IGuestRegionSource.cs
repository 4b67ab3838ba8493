namespace VfioUser;

/// <summary>Looks up the regions of an access.</summary>
internal interface IGuestRegionSource
{
    /// <summary>Enters the region that contains an address: it stays until <see cref="Exit"/>. Null if none allows the access.</summary>
    GuestRegion? Enter(ulong address, bool write);

    void Exit(GuestRegion region);

    /// <summary>Why an address has no region.</summary>
    DmaResult Missing(ulong address);
}
