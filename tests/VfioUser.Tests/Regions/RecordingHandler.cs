namespace VfioUser.Tests;

/// <summary>Remembers what it is asked, and answers with the low byte of each offset.</summary>
internal sealed class RecordingHandler : IRegionHandler
{
    public List<(long Offset, int Length)> Reads { get; } = [];

    public List<(long Offset, byte[] Bytes)> Writes { get; } = [];

    public bool Fills { get; init; } = true;

    public bool FoundZeros { get; private set; } = true;

    public void Read(long offset, Span<byte> destination)
    {
        Reads.Add((offset, destination.Length));
        FoundZeros &= destination.IndexOfAnyExcept((byte)0) < 0;
        for (int i = 0; Fills && i < destination.Length; i++)
            destination[i] = (byte)(offset + i);
    }

    public void Write(long offset, ReadOnlySpan<byte> source) => Writes.Add((offset, source.ToArray()));
}
