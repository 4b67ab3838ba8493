namespace VfioUser;

/// <summary>Looks up the regions of an access.</summary>
internal interface IGuestRegionSource
{
    /// <summary>Enters the region that contains an address: it stays until <see cref="Exit"/>. Null if none allows the access.</summary>
    GuestRegion? Enter(ulong address, bool write);

    void Exit(GuestRegion region);

    /// <summary>Why an address has no region that allows the access.</summary>
    DmaResult Missing(ulong address, bool write);

    /// <summary>The result of an access that goes beyond the last address.</summary>
    /// <param name="address">Its first byte.</param>
    DmaResult Overflow(ulong address);
}
