using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace VfioUser.Protocol;

/// <summary>Copies wire structures out of and into bytes, at any alignment.</summary>
/// <remarks>
/// Any thread. The specification says host byte order, so a structure is its bytes. A received structure is always a
/// copy: what the peer does to shared memory afterwards does not reach the value that was validated.
/// </remarks>
public static class WireFormat
{
    /// <summary>Reads a structure from the first bytes of <paramref name="source"/>; more may follow.</summary>
    /// <typeparam name="T">A wire structure of this namespace, or a primitive number.</typeparam>
    /// <param name="source">The bytes; at least as many as <typeparamref name="T"/> has.</param>
    /// <param name="value">The structure, or default if there were too few bytes.</param>
    /// <returns>False if there were too few bytes.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryRead<T>(ReadOnlySpan<byte> source, out T value) where T : unmanaged =>
        MemoryMarshal.TryRead(source, out value);

    /// <summary>Reads a structure from bytes whose number the caller has checked.</summary>
    /// <typeparam name="T">A wire structure of this namespace, or a primitive number.</typeparam>
    /// <param name="source">The bytes; more than <typeparamref name="T"/> has may be there.</param>
    /// <exception cref="ArgumentOutOfRangeException">There are too few bytes.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Read<T>(ReadOnlySpan<byte> source) where T : unmanaged => MemoryMarshal.Read<T>(source);

    /// <summary>Writes a structure into the first bytes of <paramref name="destination"/> and leaves the others alone.</summary>
    /// <typeparam name="T">A wire structure of this namespace, or a primitive number.</typeparam>
    /// <param name="destination">At least as many bytes as <typeparamref name="T"/> has.</param>
    /// <param name="value">What to write.</param>
    /// <exception cref="ArgumentOutOfRangeException">There are too few bytes.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Write<T>(Span<byte> destination, in T value) where T : unmanaged =>
        MemoryMarshal.Write(destination, in value);
}
