namespace VfioUser;

/// <summary>An area of a region.</summary>
/// <param name="Offset">First byte, relative to the region.</param>
/// <param name="Length">In bytes.</param>
public readonly record struct MemoryArea(long Offset, long Length);
