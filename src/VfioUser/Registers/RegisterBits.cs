using System.Runtime.CompilerServices;

namespace VfioUser;

/// <summary>Converts values of registers to bits, and back.</summary>
internal static class RegisterBits
{
    /// <summary>The lowest <paramref name="bytes"/> bytes; 1 to 8.</summary>
    public static ulong OfBytes(int bytes) => ulong.MaxValue >> (64 - (8 * bytes));

    /// <summary>All bits of a type.</summary>
    public static T All<T>()
        where T : unmanaged => From<T>(ulong.MaxValue);

    public static ulong Of<T>(T value)
        where T : unmanaged => Unsafe.SizeOf<T>() switch
        {
            1 => Unsafe.BitCast<T, byte>(value),
            2 => Unsafe.BitCast<T, ushort>(value),
            4 => Unsafe.BitCast<T, uint>(value),
            8 => Unsafe.BitCast<T, ulong>(value),
            _ => throw NoWidth(typeof(T)),
        };

    /// <summary>The low bits of <paramref name="bits"/>.</summary>
    public static T From<T>(ulong bits)
        where T : unmanaged => Unsafe.SizeOf<T>() switch
        {
            1 => Unsafe.BitCast<byte, T>((byte)bits),
            2 => Unsafe.BitCast<ushort, T>((ushort)bits),
            4 => Unsafe.BitCast<uint, T>((uint)bits),
            8 => Unsafe.BitCast<ulong, T>(bits),
            _ => throw NoWidth(typeof(T)),
        };

    /// <summary>The value of a field: a boolean is the lowest bit.</summary>
    public static T FieldFrom<T>(ulong bits)
        where T : unmanaged => From<T>(typeof(T) == typeof(bool) ? bits & 1 : bits);

    /// <exception cref="ArgumentException">A register cannot have this type.</exception>
    public static void CheckRegisterType(Type type)
    {
        if (type != typeof(byte) && type != typeof(ushort) && type != typeof(uint) && type != typeof(ulong) && !type.IsEnum)
            throw NoWidth(type);
    }

    private static ArgumentException NoWidth(Type type) => new(
        $"A register is a byte, ushort, uint or ulong, or an enumeration, and not a {type.Name}.");
}
