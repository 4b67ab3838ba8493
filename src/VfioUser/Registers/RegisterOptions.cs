using System.Numerics;

namespace VfioUser;

/// <summary>What there is to say about a register. Immutable.</summary>
/// <typeparam name="T">Its width.</typeparam>
public sealed record RegisterOptions<T>
    where T : unmanaged, IBinaryInteger<T>, IUnsignedNumber<T>
{
    /// <summary>What the guest may do.</summary>
    public Access Access { get; init; } = Access.ReadWrite;

    /// <summary>Its value at start and after a reset.</summary>
    public T ResetValue { get; init; }

    /// <summary>The bits that <see cref="Access"/> is about; the guest cannot change the others. All bits by default.</summary>
    public T WriteMask { get; init; } = T.AllBitsSet;

    /// <summary>Called before the guest's read is answered; what it returns is stored and read. Command thread.</summary>
    public Func<T>? OnRead { get; init; }

    /// <summary>
    /// Called after the guest wrote. Command thread. Gets the value that the register has now; for a
    /// <see cref="Access.WriteOnly"/> or <see cref="Access.WriteOneToClear"/> one what was written.
    /// </summary>
    public Action<T>? OnWrite { get; init; }
}
