namespace VfioUser.Tool.Registers;

/// <summary>A register that was read; the schema of <c>read --json</c>.</summary>
/// <param name="Name">Of the register, or of the field with its register.</param>
/// <param name="Region">Index of its region.</param>
/// <param name="Offset">In bytes, relative to the region.</param>
/// <param name="Width">Of the register, in bytes.</param>
/// <param name="Value">Of the register, or of the field.</param>
/// <param name="Fields">Of the whole register, by name; null for a field.</param>
internal sealed record RegisterValue(string Name, uint Region, ulong Offset, int Width, ulong Value, IReadOnlyDictionary<string, ulong>? Fields)
{
    public static RegisterValue Of(RegisterTarget target, ulong register)
    {
        Dictionary<string, ulong>? fields = target.Field is null ? new(StringComparer.Ordinal) : null;
        foreach (MappedField field in (target.Field is null ? target.Register.Fields : null) ?? [])
            fields![field.Name] = field.Of(register);
        return new RegisterValue(target.Name, target.Register.Region, target.Register.Offset, target.Register.Width, target.Of(register), fields);
    }
}
