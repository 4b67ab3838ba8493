namespace VfioUser;

/// <summary>Works on guest memory in place.</summary>
/// <typeparam name="TState">What the caller passes along, so that the action needs no closure.</typeparam>
/// <param name="memory">Guest memory, for the call only; the guest may change it meanwhile.</param>
/// <param name="state">From the caller.</param>
public delegate void DmaAction<in TState>(scoped Span<byte> memory, TState state)
    where TState : allows ref struct;
