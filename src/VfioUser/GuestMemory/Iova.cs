using System.Globalization;

namespace VfioUser;

/// <summary>A guest address as the device sees it: an I/O virtual address, never a host pointer.</summary>
/// <param name="Value">In bytes.</param>
public readonly record struct Iova(ulong Value) : IComparable<Iova>
{
    /// <summary>The address <paramref name="offset"/> bytes higher; wraps around at 2^64.</summary>
    public static Iova operator +(Iova address, ulong offset) => new(unchecked(address.Value + offset));

    /// <summary>The distance of two addresses in bytes.</summary>
    public static ulong operator -(Iova left, Iova right) => unchecked(left.Value - right.Value);

    /// <summary>Whether <paramref name="left"/> is lower.</summary>
    public static bool operator <(Iova left, Iova right) => left.Value < right.Value;

    /// <summary>Whether <paramref name="left"/> is higher.</summary>
    public static bool operator >(Iova left, Iova right) => left.Value > right.Value;

    /// <summary>Whether <paramref name="left"/> is lower, or both are equal.</summary>
    public static bool operator <=(Iova left, Iova right) => left.Value <= right.Value;

    /// <summary>Whether <paramref name="left"/> is higher, or both are equal.</summary>
    public static bool operator >=(Iova left, Iova right) => left.Value >= right.Value;

    /// <summary>As the operator.</summary>
    public static Iova Add(Iova address, ulong offset) => address + offset;

    /// <summary>As the operator.</summary>
    public static ulong Subtract(Iova left, Iova right) => left - right;

    /// <inheritdoc/>
    public int CompareTo(Iova other) => Value.CompareTo(other.Value);

    /// <summary>Hexadecimal.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"0x{Value:x}");
}
