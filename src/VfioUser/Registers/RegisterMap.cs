using System.Buffers;
using System.Text.Json;

namespace VfioUser;

/// <summary>The registers of a device as JSON, in a device-specific region, for tools that access them by name. Immutable.</summary>
/// <remarks>The format stands in docs/registers.md.</remarks>
internal sealed class RegisterMap(byte[] json) : IRegionHandler
{
    /// <summary>Subtype of the region: "RegM". The type has QEMU's vendor ID, so this is not one of the small numbers that QEMU may assign.</summary>
    public const uint Subtype = 0x5265_674D;

    /// <summary>The format.</summary>
    public const int Version = 1;

    /// <summary>Most bytes; registers that do not fit are counted, and left out.</summary>
    public const int MaxSize = 1 << 20;

    // for what follows the last register
    private const int Tail = 64;

    /// <summary>Type of the region.</summary>
    public static uint Type => DeviceRegion.VendorType(0x1B36);

    /// <summary>In bytes.</summary>
    public int Size => json.Length;

    /// <summary>Made from what a device has declared; null if it has no registers.</summary>
    public static RegisterMap? Of(PciDevice device)
    {
        IReadOnlyList<RegisterInfo> registers = device.GetRegisters();
        if (registers.Count == 0)
            return null;
        ArrayBufferWriter<byte> all = new();
        ArrayBufferWriter<byte> one = new();
        using Utf8JsonWriter map = new(all);
        using Utf8JsonWriter entry = new(one);
        map.WriteStartObject();
        map.WriteNumber("version", Version);
        map.WriteStartArray("registers");
        int written = 0;
        foreach (RegisterInfo register in registers)
        {
            one.ResetWrittenCount();
            entry.Reset();
            Write(entry, register);
            entry.Flush();
            if (map.BytesCommitted + map.BytesPending + one.WrittenCount > MaxSize - Tail)
                break;
            map.WriteRawValue(one.WrittenSpan, skipInputValidation: true);
            written++;
        }
        map.WriteEndArray();
        if (written < registers.Count)
            map.WriteNumber("omitted", registers.Count - written);
        map.WriteEndObject();
        map.Flush();
        return new RegisterMap(all.WrittenSpan.ToArray());
    }

    public void Read(long offset, Span<byte> destination) => json.AsSpan((int)offset, destination.Length).CopyTo(destination);

    public void Write(long offset, ReadOnlySpan<byte> source)
    {
        // read-only
    }

    private static void Write(Utf8JsonWriter to, RegisterInfo register)
    {
        RegisterLayout layout = register.Layout;
        to.WriteStartObject();
        to.WriteString("name", register.Name);
        to.WriteNumber("region", (int)register.Region);
        to.WriteNumber("offset", register.Offset);
        to.WriteNumber("width", register.Width);
        to.WriteString("access", register.Access);
        if (register.Description is { } description)
            to.WriteString("description", description);
        WriteMask(to, "readToClear", layout.ReadToClear);
        WriteMask(to, "writeOneToClear", layout.OneToClear);
        WriteMask(to, "writeOneToSet", layout.OneToSet);
        WriteMask(to, "writeOnly", layout.ReadsZero);
        if (register.Fields.Count > 0)
        {
            to.WriteStartArray("fields");
            foreach (RegisterFieldInfo field in register.Fields)
                Write(to, field, register.AccessOf(field.Mask));
            to.WriteEndArray();
        }
        to.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter to, RegisterFieldInfo field, string access)
    {
        to.WriteStartObject();
        to.WriteString("name", field.Name);
        to.WriteNumber("bit", field.Bit);
        to.WriteNumber("width", field.Width);
        to.WriteString("access", access);
        if (field.Members.Any())
        {
            to.WriteStartObject("members");
            foreach ((string name, ulong value) in field.Members)
                to.WriteNumber(name, value);
            to.WriteEndObject();
        }
        to.WriteEndObject();
    }

    private static void WriteMask(Utf8JsonWriter to, string name, ulong mask)
    {
        if (mask != 0)
            to.WriteNumber(name, mask);
    }
}
