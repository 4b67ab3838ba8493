namespace VfioUser;

/// <summary>A named range that the device does not model: it reads as zeros, and accesses are reported by its name.</summary>
internal sealed class TagPart(long start, long length, string name, UnmodelledAccesses accesses) : RegionPart(start, length)
{
    public string Name => name;

    public override void Read(long offset, Span<byte> destination)
    {
        destination.Clear();
        accesses.Tagged(name, offset, destination.Length, write: false);
    }

    public override void Write(long offset, ReadOnlySpan<byte> source) => accesses.Tagged(name, offset, source.Length, write: true);
}
