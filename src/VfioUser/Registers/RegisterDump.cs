using System.Globalization;
using System.Text;

namespace VfioUser;

/// <summary>What the registers of a device held at one moment, to be looked at or compared. Immutable.</summary>
/// <remarks>Any thread. The registers are read one after the other: a device that runs may change them meanwhile.</remarks>
public sealed class RegisterDump
{
    private readonly (RegisterInfo Register, ulong Value)[] _values;

    private RegisterDump((RegisterInfo Register, ulong Value)[] values) => _values = values;

    /// <summary>Reads all registers of a device. No handler is called, and nothing is cleared.</summary>
    public static RegisterDump Of(PciDevice device)
    {
        ArgumentNullException.ThrowIfNull(device);
        return new RegisterDump([.. device.GetRegisters().Select(register => (register, register.Value))]);
    }

    /// <summary>What is different in a later dump of the same device, a line each: name, value before, value after; empty if nothing is.</summary>
    public string Diff(RegisterDump later)
    {
        ArgumentNullException.ThrowIfNull(later);
        Dictionary<(RegionIndex, long), ulong> after = later._values.ToDictionary(entry => (entry.Register.Region, entry.Register.Offset), entry => entry.Value);
        StringBuilder text = new();
        foreach ((RegisterInfo register, ulong before) in _values)
        {
            if (after.TryGetValue((register.Region, register.Offset), out ulong now) && now != before)
                text.AppendLine(CultureInfo.InvariantCulture, $"{register.Name}: {register.Describe(before)} -> {register.Describe(now)}");
        }
        return text.ToString();
    }

    /// <summary>A table: region, offset, name, value and fields.</summary>
    public override string ToString()
    {
        int width = _values.Length == 0 ? 0 : _values.Max(entry => entry.Register.Name.Length);
        StringBuilder text = new();
        foreach ((RegisterInfo register, ulong value) in _values)
            text.AppendLine(CultureInfo.InvariantCulture, $"{register.Region,-6} 0x{register.Offset:x4}  {register.Name.PadRight(width)}  {register.Describe(value)}");
        return text.ToString();
    }
}
