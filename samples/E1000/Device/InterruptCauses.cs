namespace E1000.Device;

/// <summary>Bits of ICR, ICS, IMS and IMC.</summary>
[Flags]
internal enum InterruptCauses : uint
{
    TransmitDescriptorWritten = 1 << 0,
    TransmitQueueEmpty = 1 << 1,
    LinkStatusChange = 1 << 2,
    ReceiveSequenceError = 1 << 3,
    ReceiveDescriptorsLow = 1 << 4,
    ReceiverOverrun = 1 << 6,
    ReceiveTimer = 1 << 7,
    MdioAccessComplete = 1 << 9,
    PhyInterrupt = 1 << 12,
    TransmitDescriptorsLow = 1 << 15,
    SmallPacketReceived = 1 << 16,
}
