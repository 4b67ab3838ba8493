namespace VfioUser;

/// <summary>An action on a piece of the memory of a <see cref="DmaList"/>.</summary>
/// <typeparam name="TState">What the caller passes.</typeparam>
/// <param name="offset">Of the piece's first byte, relative to the access.</param>
/// <param name="memory">Valid until the action returns. The guest may change it at any time.</param>
/// <param name="state">From the caller.</param>
public delegate void DmaListAction<in TState>(int offset, scoped Span<byte> memory, TState state);
