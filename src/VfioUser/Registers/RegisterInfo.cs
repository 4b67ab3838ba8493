namespace VfioUser;

/// <summary>A register of a device, for listings and tools. Immutable, except for the value.</summary>
/// <remarks>Any thread.</remarks>
public sealed class RegisterInfo
{
    private readonly NamedPart _part;

    internal RegisterInfo(RegionIndex region, NamedPart part)
    {
        Region = region;
        _part = part;
    }

    internal RegisterLayout Layout => _part.Layout;

    /// <summary>Which region of the device it is in.</summary>
    public RegionIndex Region { get; }

    /// <summary>As it was declared, with the names of the blocks around it; without a name its offset.</summary>
    public string Name => _part.Name;

    /// <summary>What it is for; null if it was declared without.</summary>
    public string? Description => _part.Layout.Description;

    /// <summary>First byte, relative to the region.</summary>
    public long Offset => _part.Start;

    /// <summary>In bytes: 1, 2, 4 or 8.</summary>
    public int Width => _part.Layout.Width;

    /// <summary>What it holds after a reset.</summary>
    public ulong ResetValue => _part.Layout.ResetValue;

    /// <summary>What it holds now. A read handler is not called, and nothing is cleared.</summary>
    public ulong Value => _part.Value;

    /// <summary>Its bits with names, from the lowest on.</summary>
    public IReadOnlyList<RegisterFieldInfo> Fields => _part.Layout.Fields;

    /// <summary>What a guest may do with its bits, as data sheets abbreviate it: RW, RO, WO, W1C, W1S, RC, SC, reserved.</summary>
    public string Access => _part.Layout.AccessOf(_part.Layout.All);

    /// <summary>What a guest may do with the bits of a mask.</summary>
    public string AccessOf(ulong mask) => _part.Layout.AccessOf(mask & _part.Layout.All);

    /// <summary>A value of it in words: hexadecimal, with what its fields are.</summary>
    public string Describe(ulong value) => _part.Layout.Describe(value & _part.Layout.All);

    /// <summary>Name and value.</summary>
    public override string ToString() => $"{Name} = {Describe(Value)}";
}
