namespace VfioUser;

/// <summary>Options for registers that are alike. Immutable.</summary>
/// <inheritdoc cref="RegisterDefinition{T}"/>
public sealed record RegisterArrayOptions<T> : RegisterDefinition<T>
    where T : unmanaged
{
    /// <summary>Bytes from one to the next; 0 for no gap between them.</summary>
    public long Stride { get; init; }

    /// <summary>Gives the value that the guest reads, for the index of the register and the stored value. Command thread.</summary>
    /// <remarks>As <see cref="RegisterOptions{T}.OnRead"/>.</remarks>
    public Func<int, T, T>? OnRead { get; init; }

    /// <summary>Called after the guest wrote, with the index of the register. Command thread.</summary>
    public Action<int, RegisterWrite<T>>? OnWrite { get; init; }
}
