using System.Collections;
using VfioUser.Protocol;

namespace VfioUser;

/// <summary>The vectors of one interrupt type. Immutable.</summary>
public sealed class IrqVectors : IReadOnlyList<Irq>
{
    private readonly Irq[] _vectors;

    internal IrqVectors(IrqType type, params Irq[] vectors)
    {
        Type = type;
        _vectors = vectors;
    }

    /// <summary>The interrupt type.</summary>
    public IrqType Type { get; }

    /// <summary>Number of vectors of this type.</summary>
    public int Count => _vectors.Length;

    /// <summary>A vector, by its number from 0.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The device has no such vector.</exception>
    public Irq this[int index] => (uint)index < (uint)_vectors.Length ? _vectors[index] : throw NoVector(index);

    private ArgumentOutOfRangeException NoVector(int index) =>
        new(nameof(index), index, $"The device has {Count} {(Count == 1 ? "vector" : "vectors")} of {Type}, counted from 0.");

    internal IrqInfoFlags Flags => Type switch
    {
        IrqType.Intx => IrqInfoFlags.EventFd | IrqInfoFlags.Maskable | IrqInfoFlags.AutoMasked,
        IrqType.Msi or IrqType.MsiX => IrqInfoFlags.EventFd | IrqInfoFlags.Maskable,
        _ => IrqInfoFlags.EventFd,
    };

    /// <summary>All vectors in order.</summary>
    public IEnumerator<Irq> GetEnumerator() => ((IEnumerable<Irq>)_vectors).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    internal static IrqVectors Of(MsiCapability msi)
    {
        IrqVectors irqs = new(IrqType.Msi, [.. Enumerable.Range(0, msi.Vectors).Select(vector => new MsiIrq(msi, vector))]);
        msi.Written = irqs.CapabilityWritten;
        return irqs;
    }

    internal static IrqVectors Of(MsiXCapability msiX)
    {
        IrqVectors irqs = new(IrqType.MsiX, [.. Enumerable.Range(0, msiX.Vectors).Select(vector => new MsiXIrq(msiX, vector))]);
        msiX.Written = irqs.CapabilityWritten;
        return irqs;
    }

    // may have enabled, unmasked or disabled vectors
    private void CapabilityWritten()
    {
        foreach (Irq irq in _vectors)
            irq.CapabilityWritten();
    }

    /// <summary>Delivers what is pending, after something that inhibited it has changed.</summary>
    internal void RetryDelivery()
    {
        foreach (Irq irq in _vectors)
            irq.RetryDelivery();
    }

    /// <summary>Counts delivered interrupts from now on.</summary>
    internal void MeterWith(IrqMeter meter)
    {
        foreach (Irq irq in _vectors)
            irq.Meter = meter;
    }

    internal void Disable()
    {
        foreach (Irq irq in _vectors)
            irq.Disable();
    }

    internal void ClientGone()
    {
        foreach (Irq irq in _vectors)
            irq.ClientGone();
    }

    internal void Reset()
    {
        foreach (Irq irq in _vectors)
            irq.Reset();
    }
}
