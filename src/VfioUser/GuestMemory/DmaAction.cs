namespace VfioUser;

/// <summary>An action on guest memory.</summary>
/// <typeparam name="TState">State of the caller, so that the action needs no closure.</typeparam>
/// <param name="memory">Guest memory or a copy of it, valid for the call only; the guest may change it meanwhile.</param>
/// <param name="state">From the caller.</param>
public delegate void DmaAction<in TState>(scoped Span<byte> memory, TState state)
    where TState : allows ref struct;
