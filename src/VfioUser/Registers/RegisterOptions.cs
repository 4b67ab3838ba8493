namespace VfioUser;

/// <summary>Options for a register. Immutable.</summary>
/// <inheritdoc cref="RegisterDefinition{T}"/>
public sealed record RegisterOptions<T> : RegisterDefinition<T>
    where T : unmanaged
{
    /// <summary>Gives the value that the guest reads, for the stored one. Command thread.</summary>
    /// <remarks>What it returns is not stored, and a write of a part of the register does not see it. Bits that the read clears are still
    /// set in what it gets, and are cleared already in the register.</remarks>
    public Func<T, T>? OnRead { get; init; }

    /// <summary>Called after the guest wrote, whether that changed a bit or not: a register may mean one thing to a read and another to
    /// a write. Command thread.</summary>
    public Action<RegisterWrite<T>>? OnWrite { get; init; }
}
