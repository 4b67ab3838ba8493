using VfioUser.Protocol;

namespace VfioUser.Client;

/// <summary>Answers a server's DMA_READ and DMA_WRITE messages.</summary>
/// <remarks>On the client's own thread, one at a time. Spec: VFIO_USER_DMA_READ, VFIO_USER_DMA_WRITE.</remarks>
public interface IDmaHandler
{
    /// <summary>The server reads.</summary>
    /// <param name="address">First byte; an IOVA.</param>
    /// <param name="destination">To be filled; zeros on entry.</param>
    /// <returns><see cref="Errno.None"/>, or the error of the reply.</returns>
    Errno Read(ulong address, Span<byte> destination);

    /// <summary>The server writes.</summary>
    /// <param name="address">First byte; an IOVA.</param>
    /// <param name="source">Valid for the call only.</param>
    /// <returns><see cref="Errno.None"/>, or the error of the reply.</returns>
    Errno Write(ulong address, ReadOnlySpan<byte> source);
}
