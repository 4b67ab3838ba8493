using System.Collections;
using VfioUser.Protocol;

namespace VfioUser;

/// <summary>The vectors of one interrupt type. Immutable.</summary>
public sealed class IrqVectors : IReadOnlyList<Irq>
{
    private readonly Irq[] _vectors;

    internal IrqVectors(PciIrq type, params Irq[] vectors)
    {
        Type = type;
        _vectors = vectors;
    }

    /// <summary>What kind of interrupts they are.</summary>
    public PciIrq Type { get; }

    /// <summary>How many vectors the device has of this type.</summary>
    public int Count => _vectors.Length;

    /// <summary>A vector, by its number from 0.</summary>
    public Irq this[int index] => _vectors[index];

    internal IrqInfoFlags Flags => Type switch
    {
        PciIrq.Intx => IrqInfoFlags.EventFd | IrqInfoFlags.Maskable | IrqInfoFlags.AutoMasked,
        PciIrq.Msi or PciIrq.MsiX => IrqInfoFlags.EventFd | IrqInfoFlags.Maskable,
        _ => IrqInfoFlags.EventFd,
    };

    /// <summary>All vectors in order.</summary>
    public IEnumerator<Irq> GetEnumerator() => ((IEnumerable<Irq>)_vectors).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    internal static IrqVectors Create(PciIrq type, int count)
    {
        Irq[] vectors = new Irq[count];
        for (int i = 0; i < count; i++)
            vectors[i] = new Irq(type, i);
        return new IrqVectors(type, vectors);
    }

    /// <summary>Has those that are sent counted from now on.</summary>
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

    internal void Reset()
    {
        foreach (Irq irq in _vectors)
            irq.Reset();
    }
}
