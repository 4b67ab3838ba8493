namespace VfioUser;

/// <summary>Handles accesses to a region outside its registers and shared memory.</summary>
/// <remarks>
/// Command thread: one access at a time, in the guest's order. Return within milliseconds, since a virtual CPU is
/// stopped meanwhile; move long work to a thread of your own that ends in <see cref="Irq.Trigger"/>.
/// An exception does not end the session: it is logged, a read returns all ones, a write is refused.
/// </remarks>
public interface IRegionHandler
{
    /// <summary>Handles a read of the guest.</summary>
    /// <param name="offset">First byte, relative to the region.</param>
    /// <param name="destination">To fill; zeros on entry. Its length is usually 1, 2, 4 or 8, but a client may send any length
    /// within the region.</param>
    void Read(long offset, Span<byte> destination);

    /// <summary>Handles a write of the guest.</summary>
    /// <param name="offset">First byte, relative to the region.</param>
    /// <param name="source">The bytes written, valid for the call only; of any length within the region.</param>
    void Write(long offset, ReadOnlySpan<byte> source);
}
