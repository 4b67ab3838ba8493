using System.Globalization;
using System.Text.Json;
using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Tool.Regions;

namespace VfioUser.Tool.Registers;

/// <summary>Reads a server's register map. The server is untrusted: the map has a size limit, and its content is checked.</summary>
internal static class MapReader
{
    private const uint FirstDeviceRegion = 9;
    // a server may claim four billion regions
    private const uint MaxRegions = 1024;

    /// <exception cref="ToolException">The server has no map, or an invalid one.</exception>
    public static RegisterNames Read(VfioUserClient client)
    {
        (uint index, ulong size) = Find(client) ?? throw new ToolException(
            "The server does not provide the names of its registers; one of VfioUser does with VfioUserServerOptions.RegisterMap. Give a region and an offset.");
        if (size is 0 or > RegisterMap.MaxSize)
            throw new ToolException($"The server's register map has {size} bytes; 1 to {RegisterMap.MaxSize} can be read.");
        byte[] json = new byte[size];
        RegionTransfer.Read(client, index, 0, json);
        return new RegisterNames(Checked(Parse(json)));
    }

    private static (uint Index, ulong Size)? Find(VfioUserClient client)
    {
        uint count = Math.Min(client.GetDeviceInfo().RegionCount, MaxRegions);
        for (uint i = FirstDeviceRegion; i < count; i++)
        {
            using ClientRegion region = client.GetRegionInfo(i);
            if (region.Type is { } type && type.Type == RegisterMap.Type && type.Subtype == RegisterMap.Subtype)
                return (i, region.Size);
        }
        return null;
    }

    private static MapDocument Parse(byte[] json)
    {
        try
        {
            return MapJson.Parse(json) ?? throw new ToolException("The server's register map is empty.");
        }
        catch (JsonException e)
        {
            throw new ToolException($"The server's register map is not valid JSON of a map: {Clean(e.Message)}");
        }
    }

    private static MapDocument Checked(MapDocument map)
    {
        if (map.Version != RegisterMap.Version)
            throw new ToolException($"The server's register map has version {map.Version}; this tool reads version {RegisterMap.Version}.");
        return map with { Registers = [.. (map.Registers ?? []).Select(Checked)] };
    }

    private static MappedRegister Checked(MappedRegister? register)
    {
        if (register is not { Name.Length: > 0, Width: 1 or 2 or 4 or 8 } || register.Offset > ulong.MaxValue - (uint)register.Width)
            throw new ToolException($"The server's register map has a register without a name, or with an impossible width or offset: '{Clean(register?.Name)}'.");
        return register with
        {
            Name = Clean(register.Name),
            Access = Clean(register.Access),
            Description = register.Description is null ? null : Clean(register.Description),
            Fields = [.. (register.Fields ?? []).Select(field => Checked(register, field))],
        };
    }

    private static MappedField Checked(MappedRegister register, MappedField? field)
    {
        if (field is not { Name.Length: > 0, Bit: >= 0, Width: >= 1 and <= 64 } || field.Bit > 8 * register.Width - field.Width)
            throw new ToolException($"The server's register map has a field without a name, or outside of its register: '{Clean(register.Name)}.{Clean(field?.Name)}'.");
        Dictionary<string, ulong> members = new(StringComparer.Ordinal);
        foreach ((string name, ulong value) in field.Members ?? Enumerable.Empty<KeyValuePair<string, ulong>>())
            members[Clean(name)] = value;
        return field with { Name = Clean(field.Name), Access = Clean(field.Access), Members = members.Count == 0 ? null : members };
    }

    // control characters would reach the terminal
    private static string Clean(string? text) => string.Concat((text ?? "").Select(character =>
        char.IsControl(character) || char.GetUnicodeCategory(character) is UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
            ? '?' : character));
}
