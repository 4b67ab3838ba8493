namespace VfioUser;

/// <summary>Answers accesses to a region, or to the parts of it that are neither registers nor memory.</summary>
/// <remarks>
/// Command thread: one access at a time, in the order of the guest's. Answer in milliseconds, for a virtual CPU is
/// stopped meanwhile; long work belongs to a thread of your own and ends in <see cref="Irq.Trigger"/>.
/// An exception ends no session: it is logged, a read gives all ones, a write is refused.
/// </remarks>
public interface IRegionHandler
{
    /// <summary>The guest reads.</summary>
    /// <param name="offset">First byte, relative to the region.</param>
    /// <param name="destination">To be filled; zeros on entry. Its length is the width of the access, usually 1, 2, 4 or 8,
    /// but any length within the region can come.</param>
    void Read(ulong offset, Span<byte> destination);

    /// <summary>The guest writes.</summary>
    /// <param name="offset">First byte, relative to the region.</param>
    /// <param name="source">What it writes, valid for the call only.</param>
    void Write(ulong offset, ReadOnlySpan<byte> source);
}
