using System.Numerics;

namespace VfioUser;

/// <summary>MSI: up to 32 vectors that share one address.</summary>
/// <remarks>Any thread. The library does not use address and data: interrupts go through eventfds. PCI 3.0 6.8.1.</remarks>
public sealed class MsiCapability : PciCapability
{
    internal const int MaxVectors = 32;

    // Offsets within the capability, with 64-bit addresses.
    private const int MessageControl = 2;
    private const int MessageAddress = 4;
    private const int MessageUpperAddress = 8;
    private const int MessageData = 12;
    private const int MaskBits = 16;
    private const int PendingBits = 20;

    private const byte Enable = 0x01;
    private const int MultipleMessageCapableShift = 1;
    private const int MultipleMessageEnableShift = 4;
    private const byte MultipleMessageEnable = 0x70;
    private const ushort Address64 = 0x0080;
    private const ushort PerVectorMasking = 0x0100;
    private const uint AddressMask = 0xFFFF_FFFC;

    private readonly ConfigSpace _config;

    internal MsiCapability(ConfigSpace config, int offset, int vectors, bool perVectorMask)
        : base(PciRegister.CapabilityMsi, offset, Length(perVectorMask))
    {
        _config = config;
        Vectors = vectors;
        HasPerVectorMask = perVectorMask;

        int control = (BitOperations.Log2((uint)vectors) << MultipleMessageCapableShift) | Address64 |
                      (perVectorMask ? PerVectorMasking : 0);
        config.Define(offset + MessageControl, (ushort)control, writeMask: (ushort)(Enable | MultipleMessageEnable));
        config.Define(offset + MessageAddress, 0u, writeMask: AddressMask);
        config.Define(offset + MessageUpperAddress, 0u, writeMask: uint.MaxValue);
        config.Define<ushort>(offset + MessageData, 0, writeMask: ushort.MaxValue);
        if (perVectorMask)
            config.Define(offset + MaskBits, 0u, writeMask: uint.MaxValue >> (MaxVectors - vectors));
        config.Watch(offset + MessageControl, Size - MessageControl, OnWritten);
    }

    /// <summary>How many vectors the device can use: 1, 2, 4, 8, 16 or 32.</summary>
    public int Vectors { get; }

    /// <summary>Whether the guest can mask each vector.</summary>
    public bool HasPerVectorMask { get; }

    /// <summary>Whether the guest has enabled MSI. Then the device asserts no INTx.</summary>
    public bool IsEnabled => (_config.ReadByte(Offset + MessageControl) & Enable) != 0;

    /// <summary>Number of vectors that the guest has allotted: a power of two up to <see cref="Vectors"/>; 0 while MSI is
    /// disabled.</summary>
    /// <remarks>With fewer than it can use, a device has several causes share a vector.</remarks>
    public int EnabledVectors
    {
        get
        {
            byte control = _config.ReadByte(Offset + MessageControl);
            return (control & Enable) == 0 ? 0 : Math.Min(Allotted(control), Vectors);
        }
    }

    /// <summary>The message address that the guest has written.</summary>
    public ulong Address =>
        ((ulong)_config.Read<uint>(Offset + MessageUpperAddress) << 32) | _config.Read<uint>(Offset + MessageAddress);

    /// <summary>The message data that the guest has written: that of vector 0; the vector's number replaces the low bits.</summary>
    public ushort Data => _config.Read<ushort>(Offset + MessageData);

    /// <summary>Called on the Command thread when a guest has written to this capability, changed or not.</summary>
    internal Action? Written { get; set; }

    /// <summary>Whether the guest has masked a vector.</summary>
    /// <param name="vector">0 to <see cref="Vectors"/> - 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such vector.</exception>
    /// <remarks>Any thread. Always false without <see cref="HasPerVectorMask"/>.</remarks>
    public bool IsMasked(int vector)
    {
        CheckVector(vector);
        return HasPerVectorMask && (_config.ReadByte(Offset + MaskBits + (vector / 8)) & Bit(vector)) != 0;
    }

    /// <summary>Sets the pending bit of a vector. Without per-vector masking there are no pending bits.</summary>
    internal void SetPending(int vector, bool pending)
    {
        CheckVector(vector);
        if (HasPerVectorMask)
            _config.SetBits(Offset + PendingBits + (vector / 8), Bit(vector), pending ? (byte)0xFF : (byte)0);
    }

    internal void OnReset()
    {
        for (int vector = 0; vector < Vectors; vector++)
            SetPending(vector, pending: false);
    }

    internal static int Length(bool perVectorMask) => perVectorMask ? PendingBits + sizeof(uint) : MaskBits;

    private static byte Bit(int vector) => (byte)(1 << (vector % 8));

    private static int Allotted(byte control) => 1 << ((control & MultipleMessageEnable) >> MultipleMessageEnableShift);

    private void CheckVector(int vector)
    {
        if ((uint)vector >= (uint)Vectors)
            throw new ArgumentOutOfRangeException(nameof(vector), vector, $"MSI has the vectors 0 to {Vectors - 1}.");
    }

    private void OnWritten(int offset, ReadOnlySpan<byte> written)
    {
        // A guest that allots more vectors than there are reads back how many it gets.
        if (Allotted(_config.ReadByte(Offset + MessageControl)) > Vectors)
        {
            byte most = (byte)(BitOperations.Log2((uint)Vectors) << MultipleMessageEnableShift);
            _config.SetBits(Offset + MessageControl, MultipleMessageEnable, most);
        }

        Written?.Invoke();
    }
}
