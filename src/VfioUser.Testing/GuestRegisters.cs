namespace VfioUser.Testing;

/// <summary>The registers of a device by their names.</summary>
public sealed class GuestRegisters
{
    private readonly List<GuestRegister> _registers;

    internal GuestRegisters(TestGuest guest) =>
        _registers = [.. guest.Device.GetRegisters().Select(info => new GuestRegister(guest.Region(info.Region), info))];

    /// <summary>All, by region and offset.</summary>
    public IReadOnlyList<GuestRegister> All => _registers;

    /// <summary>One by its name, as the device has declared it, with the names of the blocks around it.</summary>
    /// <exception cref="ArgumentException">The device has no such register, or several regions do.</exception>
    public GuestRegister this[string name]
    {
        get
        {
            GuestRegister[] found = [.. _registers.Where(register => string.Equals(register.Info.Name, name, StringComparison.Ordinal))];
            return found.Length switch
            {
                1 => found[0],
                0 => throw new ArgumentException($"The device has no register {name}. It has: {(_registers.Count == 0 ? "none" : string.Join(", ", _registers.Select(register => register.Info.Name)))}.", nameof(name)),
                _ => throw new ArgumentException($"Several regions have a register {name}: {string.Join(", ", found.Select(register => register.Info.Region))}.", nameof(name)),
            };
        }
    }
}
