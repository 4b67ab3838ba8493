namespace VfioUser;

/// <summary>The MSI-X vector table. The client emulates the real one and sets eventfds; this one only stores what is written.</summary>
internal sealed class VectorTablePart(long start, long length) : RegionPart(start, length)
{
    private const int EntrySize = 16;
    private const int VectorControl = 12;
    private readonly byte[] _entries = Masked(new byte[length]);

    public override void Read(long offset, Span<byte> destination) =>
        _entries.AsSpan((int)offset, destination.Length).CopyTo(destination);

    public override void Write(long offset, ReadOnlySpan<byte> source) => source.CopyTo(_entries.AsSpan((int)offset));

    public override string StateName => "MSI-X table";

    public override void Reset() => Masked(_entries);

    public override int StateSize => _entries.Length;

    public override void SaveState(Span<byte> destination) => _entries.CopyTo(destination);

    public override void RestoreState(ReadOnlySpan<byte> source) => source.CopyTo(_entries);

    // PCI 3.0 6.8.2.9: every vector is masked after a reset
    private static byte[] Masked(byte[] entries)
    {
        Array.Clear(entries);
        for (int entry = 0; entry < entries.Length; entry += EntrySize)
            entries[entry + VectorControl] = 1;
        return entries;
    }
}
