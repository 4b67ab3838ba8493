namespace E1000.Device;

/// <summary>The command byte of a transmit descriptor that has data.</summary>
[Flags]
internal enum TransmitCommand : byte
{
    EndOfPacket = 1 << 0,
    InsertCheckSequence = 1 << 1,

    /// <summary>In a legacy descriptor: insert a checksum.</summary>
    Segment = 1 << 2,
    ReportStatus = 1 << 3,
    ReportPacketSent = 1 << 4,
    Extended = 1 << 5,
    InsertVlanTag = 1 << 6,
    DelayInterrupt = 1 << 7,
}
