namespace VfioUser.Tests;

/// <summary>Remembers what it is asked, and answers with the low byte of each offset.</summary>
internal sealed class RecordingHandler : IRegionHandler
{
    public List<(ulong Offset, int Length)> Reads { get; } = [];

    public List<(ulong Offset, byte[] Bytes)> Writes { get; } = [];

    public bool Fills { get; init; } = true;

    public bool FoundZeros { get; private set; } = true;

    public void Read(ulong offset, Span<byte> destination)
    {
        Reads.Add((offset, destination.Length));
        FoundZeros &= destination.IndexOfAnyExcept((byte)0) < 0;
        for (int i = 0; Fills && i < destination.Length; i++)
            destination[i] = (byte)(offset + (ulong)i);
    }

    public void Write(ulong offset, ReadOnlySpan<byte> source) => Writes.Add((offset, source.ToArray()));
}
