namespace VfioUser;

/// <summary>Bytes that never change.</summary>
internal sealed class ConstantPart(long start, byte[] bytes) : RegionPart(start, bytes.Length)
{
    public override void Read(long offset, Span<byte> destination) => bytes.AsSpan((int)offset, destination.Length).CopyTo(destination);

    public override void Write(long offset, ReadOnlySpan<byte> source)
    {
        // read-only
    }
}
