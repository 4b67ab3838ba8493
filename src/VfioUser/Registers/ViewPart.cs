namespace VfioUser;

/// <summary>A second offset of a register, with an access of its own.</summary>
internal sealed class ViewPart(long start, RegisterLayout layout, string name, RegisterPart target) : NamedPart(start, layout, name)
{
    public override ulong Value
    {
        get => target.Value;
        set => target.Value = value;
    }

    public override ulong Update(ulong mask, ulong value) => target.Update(mask, value);

    public override void Read(long offset, Span<byte> destination) => Store(target.Peek() & ~Layout.ReadsZero, offset, destination);

    public override void Write(long offset, ReadOnlySpan<byte> source)
    {
        if (!Layout.TakesWrites)
            return;
        int shift = 8 * (int)offset;
        target.Merge(Layout, Load(source) << shift, RegisterBits.OfBytes(source.Length) << shift);
    }
}
