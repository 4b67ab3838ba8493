namespace VfioUser;

/// <summary>Handles a guest's write to a region, as <see cref="IRegionHandler.Write"/> does.</summary>
/// <param name="offset">First byte, relative to the region.</param>
/// <param name="source">What it writes, valid for the call only.</param>
public delegate void RegionWrite(long offset, ReadOnlySpan<byte> source);
