using System.Collections;

namespace VfioUser.Testing;

/// <summary>The vectors of one interrupt type. All have their eventfds when the guest attaches, unless its options say otherwise.</summary>
public sealed class GuestInterrupts : IReadOnlyList<GuestIrq>, IDisposable
{
    // of MSI-X, the most of all types
    private const uint MaxVectors = 2048;

    private readonly TestGuest _guest;
    private readonly GuestIrq[] _vectors;

    internal GuestInterrupts(TestGuest guest, IrqType type, bool exists)
    {
        _guest = guest;
        Type = type;
        int count = exists ? (int)Math.Min(guest.Client.GetIrqInfo((uint)type).Count, MaxVectors) : 0;
        _vectors = [.. Enumerable.Range(0, count).Select(vector => type == IrqType.Intx ? new GuestIntx(guest) : new GuestIrq(guest, type, vector))];
    }

    /// <summary>The interrupt type.</summary>
    public IrqType Type { get; }

    /// <summary>Number of vectors that the device has.</summary>
    public int Count => _vectors.Length;

    /// <summary>Number of enabled vectors, from 0 on.</summary>
    public int EnabledCount { get; private set; }

    /// <summary>A vector, by its number from 0.</summary>
    public GuestIrq this[int index] => (uint)index < (uint)_vectors.Length ? _vectors[index]
        : throw new ArgumentOutOfRangeException(nameof(index), index, $"{_guest.DeviceName} has {Count} {Type} vectors.");

    /// <summary>Enables every vector: the device gets its eventfd.</summary>
    public void Enable() => Enable(Count);

    /// <summary>Enables the first <paramref name="count"/> vectors, and no others.</summary>
    public void Enable(int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, Count);
        if (count < EnabledCount)
            Disable();
        if (count > 0)
            _guest.Try(() => _guest.Client.SetIrqEventFds((uint)Type, 0, [.. _vectors.Take(count).Select(vector => vector.EventFd.Handle)]));
        EnabledCount = count;
    }

    /// <summary>Disables all vectors.</summary>
    public void Disable()
    {
        _guest.Try(() => _guest.Client.DisableIrqs((uint)Type));
        EnabledCount = 0;
    }

    /// <summary>Takes the received interrupts that were not taken yet; does not wait.</summary>
    /// <returns>For each vector, the number of interrupts since it was last taken.</returns>
    public int[] TakeAll() => [.. _vectors.Select(vector => vector.Take())];

    /// <summary>Makes sure that no vector came since it was last taken.</summary>
    /// <exception cref="TestGuestException">One came.</exception>
    /// <remarks>See <see cref="GuestIrq.ExpectNone"/>.</remarks>
    public void ExpectNone()
    {
        foreach (GuestIrq vector in _vectors)
            vector.ExpectNone();
    }

    /// <summary>All vectors in order.</summary>
    public IEnumerator<GuestIrq> GetEnumerator() => ((IEnumerable<GuestIrq>)_vectors).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>Closes the eventfds.</summary>
    public void Dispose()
    {
        foreach (GuestIrq vector in _vectors)
            vector.EventFd.Dispose();
    }

    /// <summary>Sets up a new server like the one before.</summary>
    internal void Restore()
    {
        Enable(EnabledCount);
        MaskAgain(this);
    }

    /// <summary>Takes over enabled and masked vectors from the source of a migration.</summary>
    internal void ContinueFrom(GuestInterrupts source)
    {
        if (Count != source.Count)
            throw new TestGuestException($"The source has {source.Count} {Type} vectors and the target {Count}: they are not the same device.");
        Enable(source.EnabledCount);
        MaskAgain(source);
    }

    private void MaskAgain(GuestInterrupts source)
    {
        for (int i = 0; i < source._vectors.Length; i++)
        {
            if (source._vectors[i].IsMasked)
                _vectors[i].Mask();
        }
    }
}
