using System.Globalization;
using System.Numerics;

namespace VfioUser;

/// <summary>Bits of a register with a name. Immutable.</summary>
public sealed class RegisterFieldInfo
{
    private readonly Type _type;

    internal RegisterFieldInfo(string name, int bit, int width, Type type)
    {
        Name = name;
        Bit = bit;
        Width = width;
        _type = type;
    }

    /// <summary>As it was declared, or the name of an enumeration's member.</summary>
    public string Name { get; }

    /// <summary>The lowest one, from 0.</summary>
    public int Bit { get; }

    /// <summary>How many bits.</summary>
    public int Width { get; }

    /// <summary>Ones where it is in the register.</summary>
    public ulong Mask => ulong.MaxValue >> (64 - Width) << Bit;

    internal bool IsMember { get; private init; }

    /// <summary>The values with a name that fit, if it is of an enumeration.</summary>
    internal IEnumerable<(string Name, ulong Value)> Members => !_type.IsEnum ? [] :
        from name in Enum.GetNames(_type)
        let value = EnumBits.Of(Enum.Parse(_type, name))
        where value <= Mask >> Bit
        select (name, value);

    /// <summary>A member of an enumeration that is bits in a row; null for another.</summary>
    internal static RegisterFieldInfo? OfMember(string name, ulong mask)
    {
        if (mask == 0)
            return null;
        int bit = BitOperations.TrailingZeroCount(mask);
        int width = BitOperations.PopCount(mask);
        RegisterFieldInfo field = new(name, bit, width, width == 1 ? typeof(bool) : typeof(ulong)) { IsMember = true };
        return field.Mask == mask ? field : null;
    }

    /// <summary>Its part of a register's value: a flag by its name if it is set, a number unless it is 0, a member
    /// of an enumeration always.</summary>
    internal string Describe(ulong register)
    {
        ulong value = (register & Mask) >> Bit;
        if (_type == typeof(bool))
            return value == 0 ? "" : Name;
        if (value == 0 && !_type.IsEnum)
            return "";
        string words = (_type.IsEnum ? EnumBits.NameOf(_type, value) : null) ?? value.ToString(CultureInfo.InvariantCulture);
        return $"{Name}={words}";
    }
}
