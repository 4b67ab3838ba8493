using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Tool.CommandLine;
using VfioUser.Tool.Regions;

namespace VfioUser.Tool.Registers;

/// <summary>A register of a server, or a field of it.</summary>
/// <param name="Register">The register.</param>
/// <param name="Field">Null for the whole register.</param>
internal sealed record RegisterTarget(MappedRegister Register, MappedField? Field)
{
    public string Name => Field is null ? Register.Name : $"{Register.Name}.{Field.Name}";

    /// <summary>Reads the register, in one access of its width.</summary>
    public ulong Read(VfioUserClient client)
    {
        Span<byte> wide = stackalloc byte[sizeof(ulong)];
        wide.Clear();
        try
        {
            RegionTransfer.Read(client, Register.Region, Register.Offset, wide[..Register.Width]);
        }
        catch (VfioUserException e) when (IsRefusal(e))
        {
            throw Refused("read", e);
        }
        return WireFormat.Read<ulong>(wide);
    }

    /// <summary>Writes the register, in one access of its width.</summary>
    public void Write(VfioUserClient client, ulong value)
    {
        Span<byte> wide = stackalloc byte[sizeof(ulong)];
        WireFormat.Write(wide, value);
        try
        {
            RegionTransfer.Write(client, Register.Region, Register.Offset, wide[..Register.Width]);
        }
        catch (VfioUserException e) when (IsRefusal(e))
        {
            throw Refused("written", e);
        }
    }

    // and not a connection that has failed
    private static bool IsRefusal(VfioUserException e) => e.Errno is not (Errno.None or Errno.ENOTCONN or Errno.ETIMEDOUT or Errno.EBADMSG);

    private ToolException Refused(string what, VfioUserException refusal) =>
        new($"{Register.Name} was not {what}: the server refused it with {refusal.Errno}.");

    /// <summary>The field's part of a value of the register, or the whole value.</summary>
    public ulong Of(ulong register) => Field?.Of(register) ?? register;

    /// <summary>A value of the register as text; for a field only its part.</summary>
    public string Describe(ulong register) => RegisterText.Describe(this, register);

    /// <summary>The value of a text: a number, or a name that the field has for it.</summary>
    /// <exception cref="UsageException">It is neither, or does not fit.</exception>
    public ulong Parse(string text)
    {
        ulong value = 0;
        if (Field?.Members is not { } members || !members.TryGetValue(text, out value))
        {
            if (!Numbers.TryParse(text, out value))
                throw new UsageException($"'{text}' is no value of {Name}; write {(Field?.Members is null ? "4096 or 0x1000" : $"a number, {string.Join(", ", Field.Members.Keys.Take(16))}")}.");
        }
        ulong largest = Field?.Largest ?? Register.All;
        return value <= largest ? value : throw new UsageException($"0x{value:x} does not fit into {Name}; the largest value is 0x{largest:x}.");
    }

    /// <summary>The value to write so that a field changes, and no other bit of the register.</summary>
    /// <param name="register">The value that was read.</param>
    /// <param name="value">Of the field.</param>
    /// <remarks>Bits that a 1 clears or sets are written as 0.</remarks>
    public ulong Merge(ulong register, ulong value)
    {
        ulong kept = register & ~Field!.Mask & ~(Register.WriteOneToClear | Register.WriteOneToSet);
        return kept | value << Field.Bit;
    }

    /// <exception cref="ToolException">Reading the register and writing it back changes more than the field.</exception>
    public void CheckMerge()
    {
        if (Register.ReadToClear != 0)
            throw new ToolException($"A field of {Register.Name} cannot be written alone: reading the register clears bits 0x{Register.ReadToClear:x}. Write the whole register.");
        if ((Register.WriteOnly & ~Field!.Mask) is not 0 and ulong hidden)
            throw new ToolException($"A field of {Register.Name} cannot be written alone: its bits 0x{hidden:x} cannot be read. Write the whole register.");
    }
}
