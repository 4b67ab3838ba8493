using System.Text.Json.Serialization;

namespace VfioUser.Tool.Registers;

/// <summary>A register as the map has it, and as <c>info --registers --json</c> prints it. Offset and width in bytes; the masks are of bits with side effects of a read or a write.</summary>
internal sealed record MappedRegister(string Name, uint Region, ulong Offset, int Width, string? Access, string? Description,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] ulong ReadToClear,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] ulong WriteOneToClear,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] ulong WriteOneToSet,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] ulong WriteOnly,
    IReadOnlyList<MappedField>? Fields)
{
    [JsonIgnore]
    public ulong All => ulong.MaxValue >> (64 - 8 * Width);
}
