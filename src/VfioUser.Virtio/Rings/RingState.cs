namespace VfioUser.Virtio;

/// <summary>How far a device has come with a ring.</summary>
/// <param name="Next">Index of the next buffer to take; free-running for a split ring, a position for a packed one.</param>
/// <param name="Used">The same for the next used buffer.</param>
/// <param name="NextWrap">Wrap counter of <paramref name="Next"/>; packed rings only.</param>
/// <param name="UsedWrap">Wrap counter of <paramref name="Used"/>; packed rings only.</param>
internal readonly record struct RingState(ushort Next, ushort Used, bool NextWrap, bool UsedWrap)
{
    /// <summary>Of a ring that the driver has just set up.</summary>
    public static RingState Fresh => new(0, 0, NextWrap: true, UsedWrap: true);
}
