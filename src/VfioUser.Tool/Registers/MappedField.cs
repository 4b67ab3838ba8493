using System.Text.Json.Serialization;

namespace VfioUser.Tool.Registers;

/// <summary>A field of a register: its bits, their name, and the names of their values.</summary>
internal sealed record MappedField(string Name, int Bit, int Width, string? Access, IReadOnlyDictionary<string, ulong>? Members)
{
    [JsonIgnore]
    public ulong Largest => ulong.MaxValue >> (64 - Width);

    [JsonIgnore]
    public ulong Mask => Largest << Bit;

    public ulong Of(ulong register) => register >> Bit & Largest;

    public string? NameOf(ulong value) => Members?.FirstOrDefault(member => member.Value == value).Key;
}
