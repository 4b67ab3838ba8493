using System.Net.NetworkInformation;

namespace E1000.Device;

/// <summary>How a <see cref="NetworkCard"/> is made. Immutable.</summary>
public sealed record NetworkCardOptions
{
    /// <summary>The address in its EEPROM: six bytes, of which the first is even.</summary>
    public PhysicalAddress Address { get; init; } = new([0x52, 0x54, 0x00, 0x12, 0x34, 0x56]);

    /// <summary>How many bytes of frames wait while the guest has no room for them; what is more is lost.</summary>
    public int ReceiveBufferSize { get; init; } = 1 << 20;

    /// <summary>The shortest delay of an interrupt which the guest lets the card delay (TIDV), and which says only that frames have been
    /// sent. An interrupt costs a virtual machine some hundred microseconds, and the next frame that it receives says the same.</summary>
    public TimeSpan TransmitInterruptDelay { get; init; } = TimeSpan.FromMilliseconds(1);
}
