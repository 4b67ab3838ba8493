using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;

namespace VfioUser;

/// <summary>Counts what the device does with guest memory that is reached in one way. Immutable; any thread.</summary>
internal sealed class DmaMeter
{
    private readonly Counter<long> _operations;
    private readonly Counter<long> _bytes;
    private readonly Counter<long> _leases;
    private readonly KeyValuePair<string, object?>[] _reads;
    private readonly KeyValuePair<string, object?>[] _writes;

    public DmaMeter(ServerInstruments instruments, KeyValuePair<string, object?> device, DmaWay way)
    {
        _operations = instruments.DmaOperations;
        _bytes = instruments.DmaBytes;
        _leases = instruments.DmaLeases;
        KeyValuePair<string, object?> byWay = MetricTags.Of(MetricTags.DmaWay, MetricTags.NameOf(way));
        _reads = [device, byWay, MetricTags.Of(MetricTags.DmaDirection, "read")];
        _writes = [device, byWay, MetricTags.Of(MetricTags.DmaDirection, "write")];
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Accessed(bool write, int length)
    {
        if (_operations.Enabled || _bytes.Enabled)
            Count(write, length);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Leased()
    {
        if (_leases.Enabled)
            _leases.Add(1, _reads[0], _reads[1]);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Count(bool write, int length)
    {
        KeyValuePair<string, object?>[] tags = write ? _writes : _reads;
        _operations.Add(1, tags);
        _bytes.Add(length, tags);
    }
}
