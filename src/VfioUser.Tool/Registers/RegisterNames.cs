using VfioUser.Tool.Regions;

namespace VfioUser.Tool.Registers;

/// <summary>The registers of a server, by name: CTRL, a field CTRL.EN, or bar0:CTRL if several regions have one of that name. Immutable.</summary>
internal sealed class RegisterNames(MapDocument map)
{
    public MapDocument Map => map;

    private IReadOnlyList<MappedRegister> Registers => map.Registers ?? [];

    private readonly Dictionary<(uint Region, ulong Offset), MappedRegister> _byOffset =
        (map.Registers ?? []).DistinctBy(register => (register.Region, register.Offset)).ToDictionary(register => (register.Region, register.Offset));

    /// <summary>The register that is exactly these bytes, or null.</summary>
    public MappedRegister? At(uint region, ulong offset, ulong count) =>
        _byOffset.TryGetValue((region, offset), out MappedRegister? register) && (uint)register.Width == count ? register : null;

    /// <summary>The registers that overlap these bytes, by offset.</summary>
    public IEnumerable<MappedRegister> Among(uint region, ulong offset, ulong count) => Registers
        .Where(register => register.Region == region && register.Offset < Sum(offset, count) && offset < Sum(register.Offset, (uint)register.Width))
        .OrderBy(register => register.Offset);

    /// <summary>The register, or field of a register, that a text names.</summary>
    /// <exception cref="ToolException">There is none, or there are several.</exception>
    public RegisterTarget Find(string text)
    {
        (uint? region, string name) = Split(text);
        MappedRegister[] among = [.. Registers.Where(register => region is not { } index || register.Region == index)];
        if (FindRegister(among, name) is { } whole)
            return new RegisterTarget(whole, null);
        // names of registers in blocks have dots, too
        for (int at = name.LastIndexOf('.'); at > 0; at = name.LastIndexOf('.', at - 1))
        {
            if (FindRegister(among, name[..at]) is { } register)
                return new RegisterTarget(register, FindField(register, name[(at + 1)..]));
        }
        throw new ToolException($"There is no register '{text}'{Suggest(name, among.Select(register => register.Name))}");
    }

    // a client's offset and count may overflow
    private static ulong Sum(ulong offset, ulong count) => count > ulong.MaxValue - offset ? ulong.MaxValue : offset + count;

    private static (uint? Region, string Name) Split(string text)
    {
        int colon = text.IndexOf(':', StringComparison.Ordinal);
        return colon > 0 && RegionName.TryParse(text[..colon], out uint region) ? (region, text[(colon + 1)..]) : (null, text);
    }

    private static MappedRegister? FindRegister(MappedRegister[] among, string name)
    {
        MappedRegister[] found = Array.FindAll(among, register => register.Name.Equals(name, StringComparison.Ordinal));
        if (found.Length == 0)
            found = Array.FindAll(among, register => register.Name.Equals(name, StringComparison.OrdinalIgnoreCase));
        return found.Length <= 1 ? found.FirstOrDefault() : throw new ToolException(
            $"'{name}' is one of several registers: {string.Join(", ", found.Take(4).Select(register => $"{RegionName.Of(register.Region)}:{register.Name}"))}.");
    }

    private static MappedField FindField(MappedRegister register, string name)
    {
        IReadOnlyList<MappedField> fields = register.Fields ?? [];
        return fields.FirstOrDefault(field => field.Name.Equals(name, StringComparison.Ordinal))
            ?? fields.FirstOrDefault(field => field.Name.Equals(name, StringComparison.OrdinalIgnoreCase))
            ?? throw new ToolException($"{register.Name} has no field '{name}'{Suggest(name, fields.Select(field => field.Name))}");
    }

    private static string Suggest(string name, IEnumerable<string> names) => Nearest.To(name, names) is { } near
        ? $"; did you mean {near}?"
        : ". The command 'info --registers' lists them.";
}
