using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace VfioUser.Virtio;

/// <summary>The configuration structure of a network device.</summary>
/// <remarks>VIRTIO 1.3 5.1.4 "Device configuration layout".</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal struct NetConfig
{
    public const ushort LinkUp = 1;
    public const ushort Announce = 2;
    public const byte FullDuplex = 1;

    private ushort _macHigh;
    private uint _macLow;
    public ushort Status;
    public ushort MaxPairs;
    public ushort Mtu;
    public uint Speed; // Mb/s
    public byte Duplex;
    public byte RssMaxKeySize;
    public ushort RssMaxIndirection;
    public uint HashTypes;

    /// <summary>The device's address, the first byte being the highest.</summary>
    public ulong Mac
    {
        readonly get => (ulong)BinaryPrimitives.ReverseEndianness(_macHigh) << 32 | BinaryPrimitives.ReverseEndianness(_macLow);
        set => (_macHigh, _macLow) = (BinaryPrimitives.ReverseEndianness((ushort)(value >> 32)), BinaryPrimitives.ReverseEndianness((uint)value));
    }
}
