namespace VfioUser;

/// <summary>Answers a guest's read of a region, as <see cref="IRegionHandler.Read"/> does.</summary>
/// <param name="offset">First byte, relative to the region.</param>
/// <param name="destination">To be filled; zeros on entry.</param>
public delegate void RegionRead(long offset, Span<byte> destination);
