using System.Globalization;
using VfioUser.Tool.Regions;

namespace VfioUser.Tool.Registers;

/// <summary>Registers as text.</summary>
internal static class RegisterText
{
    public static void WriteList(Terminal terminal, IReadOnlyList<MappedRegister> registers, int omitted)
    {
        int width = registers.Count == 0 ? 0 : registers.Max(register => register.Name.Length);
        terminal.Out.WriteLine(terminal.Bold("Registers"));
        foreach (MappedRegister register in registers)
        {
            terminal.Out.WriteLine($"  {RegionName.Of(register.Region),-8} 0x{register.Offset:x4}  {register.Width}  {register.Name.PadRight(width)}  {register.Access}{(register.Description is { } words ? "  " + words : "")}".TrimEnd());
            foreach (MappedField field in register.Fields ?? [])
                terminal.Out.WriteLine($"                      {Bits(field),-5}  {field.Name}  {field.Access}{Members(field)}".TrimEnd());
        }
        if (omitted > 0)
            terminal.Out.WriteLine($"  and {omitted} more, which the server's map omits");
    }

    /// <summary>A register in hexadecimal with the values of its fields, or a field with the name of its value.</summary>
    public static string Describe(RegisterTarget target, ulong register)
    {
        string number = Hex(target.Of(register), target.Field?.Width ?? 8 * target.Register.Width);
        string words = target.Field is { } field ? field.NameOf(field.Of(register)) ?? "" : Words(target.Register, register);
        return words.Length == 0 ? number : $"{number} ({words})";
    }

    /// <summary>The fields of a register that are not 0, or have names for their values; empty for none.</summary>
    public static string Words(MappedRegister register, ulong value) =>
        string.Join(' ', (register.Fields ?? []).Select(field => Describe(field, field.Of(value))).Where(word => word.Length > 0));

    private static string Describe(MappedField field, ulong value) => field.NameOf(value) is { } name ? $"{field.Name}={name}"
        : value == 0 ? ""
        : field.Width == 1 ? field.Name
        : string.Create(CultureInfo.InvariantCulture, $"{field.Name}={value}");

    private static string Hex(ulong value, int bits) =>
        "0x" + value.ToString(string.Create(CultureInfo.InvariantCulture, $"x{(bits + 3) / 4}"), CultureInfo.InvariantCulture);

    private static string Bits(MappedField field) => field.Width == 1
        ? field.Bit.ToString(CultureInfo.InvariantCulture)
        : string.Create(CultureInfo.InvariantCulture, $"{field.Bit + field.Width - 1}:{field.Bit}");

    private static string Members(MappedField field) => field.Members is not { } members ? ""
        : "  " + string.Join(' ', members.Select(member => string.Create(CultureInfo.InvariantCulture, $"{member.Key}={member.Value}")));
}
