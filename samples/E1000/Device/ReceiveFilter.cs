using VfioUser;
using VfioUser.Network;

namespace E1000.Device;

/// <summary>Which frames are for this guest: its addresses, its groups by hash, its VLANs. Command thread.</summary>
internal sealed class ReceiveFilter
{
    private const ulong AddressValid = 1ul << 63;
    private const ulong AddressMask = (1ul << 48) - 1;

    private readonly RegisterArray<ulong> _addresses;
    private readonly RegisterArray<uint> _groups, _vlans;

    public ReceiveFilter(RegisterBlock csr)
    {
        _groups = csr.AddRegisters<uint>(0x5200, count: 128, new() { Name = "MTA" });
        // RAL and RAH as one
        _addresses = csr.AddRegisters<ulong>(0x5400, count: 16, new() { Name = "RA", WriteMask = AddressValid | (3ul << 48) | AddressMask });
        _vlans = csr.AddRegisters<uint>(0x5600, count: 128, new() { Name = "VFTA" });
    }

    /// <param name="address">The card's own, the first byte being the lowest.</param>
    public void SetAddress(ulong address) => _addresses[0].Value = AddressValid | address;

    public bool AcceptsVlan(int vlan) => IsSet(_vlans, vlan);

    /// <param name="control">RCTL.</param>
    /// <param name="destination">The frame's destination.</param>
    /// <param name="isExact">False if only a hash says that it is for this guest.</param>
    public bool Accepts(ReceiveControl control, ReadOnlySpan<byte> destination, out bool isExact)
    {
        isExact = true;
        bool isGroup = Ethernet.IsGroup(destination);
        if ((control & (isGroup ? ReceiveControl.MulticastPromiscuous : ReceiveControl.UnicastPromiscuous)) != 0)
            return true;
        if (Ethernet.IsBroadcast(destination) && (control & ReceiveControl.BroadcastAccept) != 0)
            return true;
        ulong address = 0;
        for (int i = 5; i >= 0; i--)
            address = address << 8 | destination[i];
        foreach (Register<ulong> own in _addresses)
        {
            if ((own.Value & (AddressValid | AddressMask)) == (AddressValid | address))
                return true;
        }
        isExact = false;
        return isGroup && IsSet(_groups, HashOf(control, address));
    }

    private static int HashOf(ReceiveControl control, ulong address)
    {
        int offset = (int)control >> 12 & 3; // MO: which of the last two bytes' bits
        return (int)(address >> 32 >> (offset == 3 ? 0 : 4 - offset)) & 0xFFF;
    }

    private static bool IsSet(RegisterArray<uint> table, int bit) => (table[bit >> 5].Value >> (bit & 31) & 1) != 0;
}
