namespace E1000.Device;

/// <summary>Status and errors of a receive descriptor, as they lie beside one another.</summary>
[Flags]
internal enum ReceiveStatus : ushort
{
    Done = 1 << 0,
    EndOfPacket = 1 << 1,
    IgnoreChecksums = 1 << 2,
    VlanPacket = 1 << 3,
    TcpChecksumChecked = 1 << 5,
    IpChecksumChecked = 1 << 6,
    PassedInexactFilter = 1 << 7,
    TcpChecksumError = 1 << 13,
    IpChecksumError = 1 << 14,
}
