using System.Buffers.Binary;
using System.Globalization;

namespace VfioUser;

/// <summary>Identifies code of a device, for reports of its exceptions. Immutable.</summary>
/// <param name="Callback">What was called.</param>
/// <param name="Region">The region, for code of a region.</param>
/// <param name="Offset">First byte of the access or of the doorbell, relative to the region.</param>
/// <param name="Register">The name of the register there.</param>
/// <param name="Worker">Of a worker: its name.</param>
/// <param name="Value">What was written, if it is a number of up to 8 bytes.</param>
internal readonly record struct DeviceCode(
    DeviceCallback Callback, RegionIndex? Region = null, long? Offset = null, string? Register = null, string? Worker = null, ulong? Value = null)
{
    public static implicit operator DeviceCode(DeviceCallback callback) => new(callback);

    /// <summary>What an access of a guest called.</summary>
    public static DeviceCode At(PciDevice device, DeviceCallback callback, uint region, long offset) =>
        new(callback, (RegionIndex)region, offset, device.RegisterAt((RegionIndex)region, offset) is { Layout.Name: not null } register ? register.Name : null);

    /// <summary>What a write of a guest called.</summary>
    public static DeviceCode At(PciDevice device, DeviceCallback callback, uint region, long offset, ReadOnlySpan<byte> written) =>
        At(device, callback, region, offset) with { Value = ValueOf(written) };

    /// <summary>The callback, and for code of a region its offset and region, and the value written.</summary>
    public override string ToString() => Region is { } region
        ? string.Create(CultureInfo.InvariantCulture, $"{Callback} at 0x{Offset ?? 0:x} of {region}{(Register is null ? "" : $" ({Register})")}{(Value is { } value ? $", value 0x{value:x}" : "")}")
        : Worker is null ? Callback.ToString() : $"{Callback} '{Worker}'";

    private static ulong? ValueOf(ReadOnlySpan<byte> written)
    {
        if (written.Length is 0 or > sizeof(ulong))
            return null;
        Span<byte> wide = stackalloc byte[sizeof(ulong)];
        wide.Clear();
        written.CopyTo(wide);
        return BinaryPrimitives.ReadUInt64LittleEndian(wide);
    }
}
