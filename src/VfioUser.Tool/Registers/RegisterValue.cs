namespace VfioUser.Tool.Registers;

/// <summary>A register that was read; the schema of <c>read --json</c>.</summary>
/// <param name="Name">Of the register, or of the field with its register.</param>
/// <param name="Region">Index of its region.</param>
/// <param name="Offset">In bytes, relative to the region.</param>
/// <param name="Width">Of the register, in bytes.</param>
/// <param name="Value">Of what was asked for.</param>
/// <param name="Fields">Of the whole register, by name; null for a field.</param>
internal sealed record RegisterValue(string Name, uint Region, ulong Offset, int Width, ulong Value, IReadOnlyDictionary<string, ulong>? Fields)
{
    public static RegisterValue Of(RegisterPlace place, ulong register)
    {
        Dictionary<string, ulong>? fields = place.Field is null ? new(StringComparer.Ordinal) : null;
        foreach (MappedField field in (place.Field is null ? place.Register.Fields : null) ?? [])
            fields![field.Name] = field.Of(register);
        return new RegisterValue(place.Name, place.Register.Region, place.Register.Offset, place.Register.Width, place.Of(register), fields);
    }
}
