namespace VfioUser;

/// <summary>Bytes that never change.</summary>
internal sealed class ConstantPart(ulong start, byte[] bytes) : RegionPart(start, (ulong)bytes.Length)
{
    public override void Read(ulong offset, Span<byte> destination) => bytes.AsSpan((int)offset, destination.Length).CopyTo(destination);

    public override void Write(ulong offset, ReadOnlySpan<byte> source)
    {
        // read-only
    }
}
