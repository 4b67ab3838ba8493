using System.Globalization;
using System.Numerics;

namespace VfioUser.Testing;

/// <summary>A capability, as the guest found it in a list of the configuration space.</summary>
/// <remarks>PCI 3.0 6.7; PCI Express 2.0 7.9.3 for extended ones.</remarks>
public sealed class GuestCapability
{
    private readonly GuestRegion _config;

    internal GuestCapability(GuestRegion config, ushort id, int offset, int? version)
    {
        _config = config;
        Id = id;
        Offset = offset;
        Version = version;
    }

    /// <summary>Capability ID; 8 bits, or 16 for an extended one.</summary>
    public ushort Id { get; }

    /// <summary>Where it starts in the configuration space.</summary>
    public int Offset { get; }

    /// <summary>Whether it is in the extended list, from 0x100 on.</summary>
    public bool IsExtended => Version is not null;

    /// <summary>Version of an extended capability; null for another one.</summary>
    public int? Version { get; }

    /// <summary>Reads a value, little-endian, as it is now.</summary>
    /// <param name="offset">From the capability's first byte.</param>
    public T Read<T>(int offset)
        where T : unmanaged => _config.Read<T>(Offset + offset);

    /// <summary>Writes a value, little-endian.</summary>
    /// <param name="offset">From the capability's first byte.</param>
    /// <param name="value">The value.</param>
    public void Write<T>(int offset, T value)
        where T : unmanaged, IBinaryInteger<T>, IUnsignedNumber<T> => _config.Write(Offset + offset, value);

    /// <summary>ID and offset, for messages.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"{(IsExtended ? "extended capability" : "capability")} 0x{Id:x} at 0x{Offset:x}");
}
