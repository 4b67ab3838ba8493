using VfioUser.Protocol;

namespace VfioUser.Tool.Scratch;

/// <summary>The part of a BAR that is not mapped: its bytes, read-only areas and doorbells.</summary>
/// <remarks>Command thread.</remarks>
internal sealed class ScratchRegion(byte[] initial) : IRegionHandler
{
    private readonly byte[] _bytes = [.. initial];
    private readonly List<(long Start, long End)> _readOnly = [];
    private readonly List<(long Offset, Action Ring)> _doorbells = [];

    /// <summary>All bytes of the BAR.</summary>
    public Span<byte> Bytes => _bytes;

    public void Protect(ulong offset, ulong size) => _readOnly.Add(((long)offset, (long)(offset + size)));

    public void AddDoorbell(ulong offset, Action ring) => _doorbells.Add(((long)offset, ring));

    public void Reset() => initial.CopyTo(_bytes, 0);

    public ulong Register(ulong offset, int width)
    {
        Span<byte> wide = stackalloc byte[sizeof(ulong)];
        wide.Clear();
        _bytes.AsSpan((int)offset, width).CopyTo(wide);
        return WireFormat.Read<ulong>(wide);
    }

    public void Read(long offset, Span<byte> destination) => _bytes.AsSpan((int)offset, destination.Length).CopyTo(destination);

    public void Write(long offset, ReadOnlySpan<byte> source)
    {
        long end = offset + source.Length;
        if (_readOnly.Count == 0)
        {
            source.CopyTo(_bytes.AsSpan((int)offset));
        }
        else
        {
            for (int i = 0; i < source.Length; i++)
            {
                long at = offset + i;
                if (!_readOnly.Exists(area => at >= area.Start && at < area.End))
                    _bytes[at] = source[i];
            }
        }
        foreach ((long doorbell, Action ring) in _doorbells)
        {
            if (doorbell >= offset && doorbell < end)
                ring();
        }
    }
}
