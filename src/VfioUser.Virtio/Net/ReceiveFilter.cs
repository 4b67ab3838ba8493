using System.Buffers.Binary;
using VfioUser.Network;

namespace VfioUser.Virtio;

/// <summary>Which frames are for this guest. Immutable: a command of the driver's makes another one.</summary>
internal sealed record ReceiveFilter
{
    /// <summary>Most addresses of each kind; with more, all pass.</summary>
    public const int MaxAddresses = 64;

    private const int Vlans = 4096;

    /// <summary>The device's own address, the first byte being the highest.</summary>
    public required ulong Address { get; init; }

    public ReceiveModes Modes { get; init; }

    public ulong[] Unicast { get; init; } = [];

    public ulong[] Multicast { get; init; } = [];

    /// <summary>A bit for each VLAN, 64 in each number; empty for none.</summary>
    public ulong[] VlanBits { get; init; } = [];

    /// <param name="head">A frame's headers.</param>
    public bool Accepts(ReadOnlySpan<byte> head)
    {
        if (Has(ReceiveModes.Promiscuous))
            return true;
        if (Has(ReceiveModes.FiltersVlans) && !AcceptsVlan(head))
            return false;
        ulong destination = Ethernet.KeyOf(head);
        if (!Ethernet.IsGroup(head))
        {
            return !Has(ReceiveModes.NoUnicast) && (destination == Address
                || Has(ReceiveModes.AllUnicast | ReceiveModes.UnicastOverflow) || Unicast.AsSpan().Contains(destination));
        }
        if (Ethernet.IsBroadcast(head))
            return !Has(ReceiveModes.NoBroadcast);
        return !Has(ReceiveModes.NoMulticast)
            && (Has(ReceiveModes.AllMulticast | ReceiveModes.MulticastOverflow) || Multicast.AsSpan().Contains(destination));
    }

    public ReceiveFilter WithMode(ReceiveModes mode, bool isOn) => this with { Modes = isOn ? Modes | mode : Modes & ~mode };

    /// <returns>Null if there is no such VLAN.</returns>
    public ReceiveFilter? WithVlan(int vlan, bool isOn)
    {
        if (vlan is < 0 or >= Vlans)
            return null;
        ulong[] bits = new ulong[Vlans / 64];
        VlanBits.CopyTo(bits, 0);
        ulong bit = 1ul << (vlan % 64);
        bits[vlan / 64] = isOn ? bits[vlan / 64] | bit : bits[vlan / 64] & ~bit;
        return this with { VlanBits = bits };
    }

    private bool AcceptsVlan(ReadOnlySpan<byte> head)
    {
        if (BinaryPrimitives.ReadUInt16BigEndian(head[Ethernet.TypeOffset..]) != Ethernet.VlanTag
            || head.Length < Ethernet.HeaderLength + Ethernet.VlanTagLength)
        {
            return true;
        }
        int vlan = BinaryPrimitives.ReadUInt16BigEndian(head[Ethernet.HeaderLength..]) % Vlans;
        return VlanBits.Length > 0 && (VlanBits[vlan / 64] >> (vlan % 64) & 1) != 0;
    }

    private bool Has(ReceiveModes mode) => (Modes & mode) != 0;
}
