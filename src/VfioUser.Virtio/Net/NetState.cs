using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace VfioUser.Virtio;

/// <summary>What the driver's commands have set, as it migrates.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal struct NetState
{
    public ulong Address;
    public ulong Offloads;
    public ushort Pairs;
    public ReceiveModes Modes;
    public ushort UnicastCount;
    public ushort MulticastCount;
    public Numbers Unicast;
    public Numbers Multicast;
    public Numbers Vlans;

    [InlineArray(Length)]
    public struct Numbers
    {
        public const int Length = 64;

        private ulong _first;
    }

    public static NetState Of(ReceiveFilter filter, int pairs, ulong offloads)
    {
        NetState state = new()
        {
            Address = filter.Address,
            Offloads = offloads,
            Pairs = (ushort)pairs,
            Modes = filter.Modes,
            UnicastCount = (ushort)filter.Unicast.Length,
            MulticastCount = (ushort)filter.Multicast.Length,
        };
        filter.Unicast.CopyTo((Span<ulong>)state.Unicast);
        filter.Multicast.CopyTo((Span<ulong>)state.Multicast);
        filter.VlanBits.CopyTo((Span<ulong>)state.Vlans);
        return state;
    }

    /// <exception cref="InvalidDataException">No driver can have set it.</exception>
    public readonly ReceiveFilter ToFilter()
    {
        if (UnicastCount > Numbers.Length || MulticastCount > Numbers.Length || (Modes & ~ReceiveModes.All) != 0 || Address >> 48 != 0)
            throw new InvalidDataException("The receive filter is not valid.");
        return new ReceiveFilter
        {
            Address = Address,
            Modes = Modes,
            Unicast = ((ReadOnlySpan<ulong>)Unicast)[..UnicastCount].ToArray(),
            Multicast = ((ReadOnlySpan<ulong>)Multicast)[..MulticastCount].ToArray(),
            VlanBits = ((ReadOnlySpan<ulong>)Vlans).ToArray(),
        };
    }
}
