using System.Globalization;

namespace VfioUser;

/// <summary>Enumerations of any underlying type.</summary>
internal static class EnumBits
{
    /// <summary>The value of a member, without its sign.</summary>
    public static ulong Of(object member) => Enum.GetUnderlyingType(member.GetType()) == typeof(ulong)
        ? Convert.ToUInt64(member, CultureInfo.InvariantCulture)
        : (ulong)Convert.ToInt64(member, CultureInfo.InvariantCulture);

    /// <summary>The name of a value; null for one without.</summary>
    public static string? NameOf(Type type, ulong bits)
    {
        foreach (string name in Enum.GetNames(type))
        {
            if (Of(Enum.Parse(type, name)) == bits)
                return name;
        }
        return null;
    }
}
