using System.Net.NetworkInformation;

namespace E1000.Cli;

/// <summary>Addresses as they are written.</summary>
internal static class Text
{
    public static string Of(PhysicalAddress address) => string.Join(':', address.GetAddressBytes().Select(part => $"{part:x2}"));
}
