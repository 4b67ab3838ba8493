using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>Guest memory that is mapped into this process.</summary>
internal sealed class MappedDma(DmaRegion region, MappedMemory memory) : DmaMapping(region)
{
    /// <summary>For use between enter and exit, and not a moment longer.</summary>
    public Span<byte> Slice(ulong offset, int length) => memory.Slice(offset, length);

    public override bool Read(ulong offset, Span<byte> destination)
    {
        memory.Slice(offset, destination.Length).CopyTo(destination);
        return true;
    }

    public override bool Write(ulong offset, ReadOnlySpan<byte> source)
    {
        source.CopyTo(memory.Slice(offset, source.Length));
        return true;
    }

    protected override void Release() => memory.Dispose();
}
