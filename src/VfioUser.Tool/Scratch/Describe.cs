using VfioUser.Protocol;

namespace VfioUser.Tool.Scratch;

/// <summary>Parses and checks parts of a description; error messages name the property.</summary>
internal static class Describe
{
    public const ulong LargestBar = 256 << 20;

    public static PciId Id(DeviceFile file)
    {
        IdFile id = file.Id ?? throw new ToolException("id: a device needs one, with vendor and device.");
        return new PciId((ushort)Below(id.Vendor, 0xFFFF, "id.vendor"), (ushort)Below(id.Device, 0x10000, "id.device"),
            (ushort)Below(id.SubsystemVendor, 0x10000, "id.subsystemVendor"), (ushort)Below(id.Subsystem, 0x10000, "id.subsystem"),
            (byte)Below(id.Revision, 0x100, "id.revision"));
    }

    public static PciClass Class(DeviceFile file)
    {
        uint code = file.Class is null ? 0xFF0000 : (uint)Below(file.Class, 0x1000000, "class");
        return new PciClass((byte)(code >> 16), (byte)(code >> 8), (byte)code);
    }

    public static BarKind Kind(string? kind, string path) => kind switch
    {
        null or "memory32" => BarKind.Memory32,
        "memory64" => BarKind.Memory64,
        "memory32Prefetchable" => BarKind.Memory32Prefetchable,
        "memory64Prefetchable" => BarKind.Memory64Prefetchable,
        "io" => BarKind.Io,
        _ => throw new ToolException($"{path}: '{kind}' is none of memory32, memory64, memory32Prefetchable, memory64Prefetchable and io."),
    };

    /// <summary>The items of a list, each with its path for error messages.</summary>
    public static IEnumerable<(T Item, string Path)> Each<T>(List<T>? items, string path)
        where T : class
    {
        for (int i = 0; i < (items?.Count ?? 0); i++)
            yield return (items![i] ?? throw new ToolException($"{path}[{i}]: null is not allowed here."), $"{path}[{i}]");
    }

    /// <summary>Contents of the BAR after a reset.</summary>
    public static byte[] Content(BarFile file, int size, string path)
    {
        byte[] content = new byte[size];
        foreach ((ValueFile value, string here) in Each(file.Values, $"{path}.values"))
        {
            byte[] bytes = value.Bytes is null ? Number(value, here) : Bytes(value.Bytes, $"{here}.bytes");
            ulong offset = Below(value.Offset, (ulong)size, $"{here}.offset");
            if ((ulong)bytes.Length > (ulong)size - offset)
                throw new ToolException($"{here}: {bytes.Length} bytes at 0x{offset:x} do not fit into {size} bytes.");
            bytes.CopyTo(content, (int)offset);
        }
        return content;
    }

    public static IEnumerable<(ulong Offset, ulong Size)> Areas(List<AreaFile>? areas, int size, string path)
    {
        foreach ((AreaFile area, string here) in Each(areas, path))
        {
            ulong offset = Below(area.Offset, (ulong)size, $"{here}.offset");
            yield return (offset, Below(area.Size, (ulong)size - offset + 1, $"{here}.size"));
        }
    }

    public static DmaDoorbell DmaOf(DmaFile file, ulong size, string path)
    {
        bool reads = file.Direction switch
        {
            "read" => true,
            "write" => false,
            _ => throw new ToolException($"{path}.direction: '{file.Direction}' is neither read nor write."),
        };
        return new DmaDoorbell(reads, Register(file.Address, sizeof(ulong), size, $"{path}.address"), Register(file.Length, sizeof(uint), size, $"{path}.length"),
            Below(file.Buffer, size, $"{path}.buffer"), file.Status is null ? null : Register(file.Status, sizeof(uint), size, $"{path}.status"));
    }

    public static byte[] Bytes(string? hex, string path)
    {
        try
        {
            return Convert.FromHexString((hex ?? "").Replace(" ", "", StringComparison.Ordinal));
        }
        catch (FormatException)
        {
            throw new ToolException($"{path}: '{hex}' is no row of bytes; write \"de ad be ef\".");
        }
    }

    public static ulong Below(ulong? value, ulong limit, string path)
    {
        if (value is not { } number)
            throw new ToolException($"{path}: it is missing.");
        return number < limit ? number : throw new ToolException($"{path}: 0x{number:x} is too large; it is at most 0x{limit - 1:x}.");
    }

    /// <summary>Runs code that may throw, and adds the path to the message.</summary>
    public static void Try(string path, Action body)
    {
        try
        {
            body();
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException)
        {
            throw new ToolException($"{path}: {e.Message}");
        }
    }

    private static ulong Register(ulong? offset, ulong width, ulong size, string path)
    {
        ulong at = Below(offset, size, path);
        return at <= size - Math.Min(width, size) && width <= size ? at : throw new ToolException($"{path}: {width} bytes do not fit at 0x{at:x}.");
    }

    private static byte[] Number(ValueFile file, string path)
    {
        if (file.Width is not (1 or 2 or 4 or 8))
            throw new ToolException($"{path}.width: {file.Width} is none of 1, 2, 4 and 8.");
        byte[] wide = new byte[sizeof(ulong)];
        ulong limit = file.Width == 8 ? ulong.MaxValue : 1ul << (int)(8 * file.Width);
        WireFormat.Write(wide, file.Width == 8 && file.Value is not null ? file.Value.Value : Below(file.Value, limit, $"{path}.value"));
        return wide[..(int)file.Width];
    }
}
