using System.Globalization;
using VfioUser.Protocol;

namespace VfioUser.Tool.Decoding;

/// <summary>What a message says, as it is found out.</summary>
/// <param name="dataLimit">Bytes of data to show.</param>
internal sealed class Fields(int dataLimit)
{
    private readonly List<Field> _all = [];

    public IReadOnlyList<Field> All => _all;

    /// <summary>What is wrong with the message; null while nothing is.</summary>
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

    /// <summary>Bytes of data: a number where they are as long as a register, else the first of them.</summary>
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

    /// <summary>Reads a structure, or finds that the message is too short for it.</summary>
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
