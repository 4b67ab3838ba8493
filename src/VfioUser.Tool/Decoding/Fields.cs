using System.Globalization;
using VfioUser.Protocol;
using VfioUser.Tool.Regions;
using VfioUser.Tool.Registers;

namespace VfioUser.Tool.Decoding;

/// <summary>Collects the decoded fields of a message.</summary>
/// <param name="dataLimit">Bytes of data to show.</param>
/// <param name="names">Names of registers; null if they are not known.</param>
internal sealed class Fields(int dataLimit, RegisterNames? names = null)
{
    // of an access that spans several
    private const int MaxNames = 4;

    private readonly List<Field> _all = [];

    public IReadOnlyList<Field> All => _all;

    /// <summary>The first reason why the message is malformed; null if none was found.</summary>
    public string? Problem { get; private set; }

    public Fields Number(string name, ulong value)
    {
        _all.Add(new Field(name, value.ToString(CultureInfo.InvariantCulture), value));
        return this;
    }

    public Fields Hex(string name, ulong value)
    {
        _all.Add(new Field(name, string.Create(CultureInfo.InvariantCulture, $"0x{value:x}"), value));
        return this;
    }

    public Fields Text(string name, string text)
    {
        _all.Add(new Field(name, text));
        return this;
    }

    public Fields Flags<T>(T flags, string name = "flags")
        where T : struct, Enum => Text(name, flags.ToString().Replace(", ", "|", StringComparison.Ordinal));

    public Fields List(string name, IReadOnlyList<string> items)
    {
        _all.Add(new Field(name, $"[{string.Join("; ", items)}]", Items: items));
        return this;
    }

    /// <summary>Adds data: a number if it has the size of a register, else its first bytes.</summary>
    public void Data(ReadOnlySpan<byte> data)
    {
        switch (data.Length)
        {
            case 1:
                Hex("value", data[0]);
                break;
            case 2:
                Hex("value", WireFormat.Read<ushort>(data));
                break;
            case 4:
                Hex("value", WireFormat.Read<uint>(data));
                break;
            case 8:
                Hex("value", WireFormat.Read<ulong>(data));
                break;
            default:
                if (!data.IsEmpty && dataLimit > 0)
                    Text("data", HexOf(data, dataLimit));
                break;
        }
    }

    /// <summary>Adds the names of the registers that an access is to.</summary>
    public void Register(in RegionAccess access)
    {
        if (NamesOf(access.Region, access.Offset, access.Count) is { Length: > 0 } name)
            Text("register", name);
    }

    /// <summary>Adds what the fields of a register are, if it is read or written as a whole.</summary>
    public void Meaning(in RegionAccess access, ReadOnlySpan<byte> data)
    {
        if ((uint)data.Length != access.Count || At(access.Region, access.Offset, access.Count) is not { } register)
            return;
        Span<byte> wide = stackalloc byte[sizeof(ulong)];
        wide.Clear();
        data.CopyTo(wide);
        if (RegisterText.Words(register, WireFormat.Read<ulong>(wide)) is { Length: > 0 } words)
            Text("fields", words);
    }

    /// <summary>The names of the accessed registers; one that is accessed in part has the first accessed byte behind its name. Empty if
    /// there are none, or they are not known.</summary>
    public string NamesOf(uint region, ulong offset, ulong count)
    {
        // one without a name is called by its offset in the map
        MappedRegister[] some = At(region, offset, count) is { } whole ? [whole] : [.. Known(region).SelectMany(known => known.Among(region, offset, count))];
        some = [.. some.Where(register => !register.Name.StartsWith("0x", StringComparison.Ordinal)).Take(MaxNames + 1)];
        string all = string.Join(' ', some.Take(MaxNames).Select(register => offset > register.Offset
            ? string.Create(CultureInfo.InvariantCulture, $"{register.Name}+{offset - register.Offset}")
            : register.Name));
        return some.Length > MaxNames ? all + " ..." : all;
    }

    private MappedRegister? At(uint region, ulong offset, ulong count) => Known(region).Select(known => known.At(region, offset, count)).FirstOrDefault(register => register is not null);

    // the header of configuration space has its names whatever the server says
    private IEnumerable<RegisterNames> Known(uint region)
    {
        if (region == RegionName.Config)
            yield return ConfigHeader.Names;
        if (names is not null)
            yield return names;
    }

    /// <summary>Reads a structure, or marks the message as malformed if it is too short.</summary>
    public bool TryRead<T>(ref ReadOnlySpan<byte> payload, int size, out T value)
        where T : unmanaged
    {
        if (!WireFormat.TryRead(payload, out value))
        {
            Malformed($"{payload.Length} bytes where {typeof(T).Name} has {size}");
            return false;
        }
        payload = payload[size..];
        return true;
    }

    public void Malformed(string problem) => Problem ??= problem;

    public static string HexOf(ReadOnlySpan<byte> bytes, int most) =>
        Convert.ToHexStringLower(bytes[..Math.Min(bytes.Length, most)]) + (bytes.Length > most ? "..." : "");
}
