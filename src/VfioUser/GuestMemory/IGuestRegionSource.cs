namespace VfioUser;

/// <summary>Where an access finds the regions that it needs.</summary>
internal interface IGuestRegionSource
{
    /// <summary>The region that holds an address, not to go before <see cref="Exit"/>; null if there is none for such an access.</summary>
    GuestRegion? Enter(ulong address, bool write);

    void Exit(GuestRegion region);

    /// <summary>What an access without a region comes to.</summary>
    DmaResult Missing { get; }
}
