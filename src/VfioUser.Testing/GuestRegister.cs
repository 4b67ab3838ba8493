using System.Buffers.Binary;

namespace VfioUser.Testing;

/// <summary>A register by its name, accessed as a driver does.</summary>
/// <remarks>Made by <see cref="TestGuest.Registers"/>. The thread of the test.</remarks>
public sealed class GuestRegister
{
    private readonly GuestRegion _region;

    internal GuestRegister(GuestRegion region, RegisterInfo info)
    {
        _region = region;
        Info = info;
    }

    /// <summary>The device's declaration of it. Its value is read from the device, without an access of the guest.</summary>
    public RegisterInfo Info { get; }

    /// <summary>Reads it in one access of its width.</summary>
    public ulong Read()
    {
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        bytes.Clear();
        _region.Read(Info.Offset, bytes[..Info.Width]);
        return BinaryPrimitives.ReadUInt64LittleEndian(bytes);
    }

    /// <summary>Reads a field of it.</summary>
    /// <param name="field">Its name.</param>
    /// <exception cref="ArgumentException">The register has no such field.</exception>
    public ulong Read(string field)
    {
        RegisterFieldInfo found = FieldOf(field);
        return (Read() & found.Mask) >> found.Bit;
    }

    /// <summary>Writes it in one access of its width, and waits until the device has handled it.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The register is not as wide.</exception>
    public void Write(ulong value)
    {
        if (Info.Width < sizeof(ulong) && value >> (8 * Info.Width) != 0)
            throw new ArgumentOutOfRangeException(nameof(value), value, $"{Info.Name} has {Info.Width} bytes, and 0x{value:x} does not fit.");
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        _region.Write(Info.Offset, bytes[..Info.Width]);
    }

    /// <summary>Reads it, and writes it with another value of one field, as drivers do.</summary>
    /// <param name="field">Its name.</param>
    /// <param name="value">Of the field.</param>
    /// <exception cref="ArgumentException">The register has no such field, or the value does not fit.</exception>
    public void Write(string field, ulong value)
    {
        RegisterFieldInfo found = FieldOf(field);
        if (value > found.Mask >> found.Bit)
            throw new ArgumentOutOfRangeException(nameof(value), value, $"{Info.Name}.{field} has {found.Width} bits, and 0x{value:x} does not fit.");
        Write((Read() & ~found.Mask) | (value << found.Bit));
    }

    /// <summary>Name and value, as an access of the guest reads it, with its fields.</summary>
    public string Describe() => $"{Info.Name} = {Info.Describe(Read())}";

    private RegisterFieldInfo FieldOf(string name) =>
        Info.Fields.FirstOrDefault(field => string.Equals(field.Name, name, StringComparison.Ordinal))
        ?? throw new ArgumentException($"{Info.Name} has no field {name}. It has: {(Info.Fields.Count == 0 ? "none" : string.Join(", ", Info.Fields.Select(field => field.Name)))}.", nameof(name));
}
