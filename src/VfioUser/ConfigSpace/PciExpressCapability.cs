using System.Numerics;

namespace VfioUser;

/// <summary>The PCI Express capability of an endpoint, in its second version.</summary>
/// <remarks>Any thread. PCI Express 2.0 7.8.</remarks>
public sealed class PciExpressCapability : PciCapability
{
    internal const int Length = 60;

    // Offsets within the capability. An endpoint has no slot and root registers: they stay 0.
    private const int Capabilities = 0x02;
    private const int DeviceCapabilities = 0x04;
    private const int DeviceControl = 0x08;
    private const int DeviceStatus = 0x0A;
    private const int LinkCapabilities = 0x0C;
    private const int LinkControl = 0x10;
    private const int LinkStatus = 0x12;
    private const int DeviceCapabilities2 = 0x24;
    private const int DeviceControl2 = 0x28;
    private const int LinkCapabilities2 = 0x2C;
    private const int LinkControl2 = 0x30;

    private const int Version2 = 2;
    private const uint RoleBasedErrorReporting = 0x0000_8000;
    private const uint ExtendedTagSupported = 0x0000_0020;
    private const uint FunctionLevelResetCapable = 0x1000_0000;

    // Reset value: relaxed ordering, no snoop, reads of up to 512 bytes. Bits of features that the device lacks are read-only:
    // phantom functions (9), auxiliary power (10). Initiate FLR (15) reads as 0.
    private const ushort DeviceControlDefault = 0x2810;
    private const ushort DeviceControlWritable = 0x79FF;
    private const byte MaxPayloadSize = 0xE0;
    private const byte InitiateFunctionLevelResetHigh = 0x80;

    private const ushort DeviceStatusErrors = 0x000F;
    private const byte DeviceControlReporting = 0x0F;

    // ASPM, read completion boundary, common clock, extended synch, no autonomous width change. The rest is for
    // downstream ports, or needs clock power management.
    private const ushort LinkControlWritable = 0x02CB;

    // All but selectable de-emphasis, which is for downstream ports.
    private const ushort LinkControl2Writable = 0xFFBF;

    // The completion timeout can be disabled, which an endpoint must support; ID-based ordering has control bits, too.
    private const uint CompletionTimeoutDisableSupported = 0x10;
    private const ushort DeviceControl2Writable = 0x0310;
    private const uint LtrSupported = 0x0800;
    private const byte LtrEnableHigh = 0x04; // of the upper byte of Device Control 2

    private readonly ConfigSpace _config;
    private readonly bool _canReset;

    internal PciExpressCapability(ConfigSpace config, int offset, PciExpressOptions options)
        : base(PciRegister.CapabilityPciExpress, offset, Length)
    {
        _config = config;
        _canReset = options.FunctionLevelReset;

        config.Define(offset + Capabilities, (ushort)(Version2 | ((int)options.Type << 4)));
        uint maxPayload = (uint)BitOperations.Log2((uint)options.MaxPayload) - 7;
        config.Define(
            offset + DeviceCapabilities,
            maxPayload | ExtendedTagSupported | RoleBasedErrorReporting | (_canReset ? FunctionLevelResetCapable : 0));
        config.Define(offset + DeviceControl, DeviceControlDefault, writeMask: DeviceControlWritable);
        config.Define<ushort>(offset + DeviceStatus, 0, clearMask: DeviceStatusErrors);
        config.Define(offset + DeviceCapabilities2, CompletionTimeoutDisableSupported);
        config.Define<ushort>(offset + DeviceControl2, 0, writeMask: DeviceControl2Writable);
        if (options.Type != PciExpressType.RootComplexIntegratedEndpoint)
            DescribeLink((int)options.LinkSpeed, (int)options.LinkWidth);

        config.Watch(offset + DeviceControl + 1, 1, OnDeviceControlWritten);
    }

    /// <summary>The largest payload in bytes that the guest permits, 128 to 4096.</summary>
    /// <remarks>Any thread. It does not limit DMA over vfio-user.</remarks>
    public int MaxPayload => Bytes(_config.ReadByte(Offset + DeviceControl) >> 5);

    /// <summary>The largest read request in bytes that the guest permits, 128 to 4096.</summary>
    /// <remarks>Any thread. It does not limit DMA over vfio-user.</remarks>
    public int MaxReadRequest => Bytes(_config.ReadByte(Offset + DeviceControl + 1) >> 4);

    /// <summary>Whether the guest has enabled latency tolerance reporting.</summary>
    /// <remarks>Any thread. False without <see cref="ConfigSpace.AddLtr"/>.</remarks>
    public bool IsLtrEnabled => (_config.ReadByte(Offset + DeviceControl2 + 1) & LtrEnableHigh) != 0;

    /// <summary>Device Control: which errors the guest has enabled reports of. Any thread.</summary>
    internal DeviceErrors ReportedErrors => (DeviceErrors)(_config.ReadByte(Offset + DeviceControl) & DeviceControlReporting);

    /// <summary>Sets bits of Device Status, which a guest clears. Any thread.</summary>
    internal void Detected(DeviceErrors errors) => _config.SetBits(Offset + DeviceStatus, (byte)errors, 0xFF);

    /// <summary>The device has an LTR capability. Setup.</summary>
    internal void SupportLtr()
    {
        _config.Define(Offset + DeviceCapabilities2, CompletionTimeoutDisableSupported | LtrSupported);
        _config.Define<ushort>(Offset + DeviceControl2, 0, writeMask: DeviceControl2Writable | (LtrEnableHigh << 8));
    }

    /// <summary>Called on the Command thread when a guest asks for a function-level reset.</summary>
    internal Action? FunctionLevelReset { get; set; }

    /// <summary>Whether a guest's write to configuration space asks for a function-level reset.</summary>
    internal bool AsksForReset(int offset, ReadOnlySpan<byte> source)
    {
        int at = Offset + DeviceControl + 1 - offset;
        return _canReset && (uint)at < (uint)source.Length && (source[at] & InitiateFunctionLevelResetHigh) != 0;
    }

    /// <summary>The bits of a byte that a function-level reset leaves: what both ends of the link agreed on. PCIe 6.6.2.</summary>
    internal byte KeptByFunctionLevelReset(int offset) => (offset - Offset) switch
    {
        DeviceControl => MaxPayloadSize,
        LinkControl or LinkControl + 1 or LinkControl2 or LinkControl2 + 1 => 0xFF,
        _ => 0,
    };

    // 3 bits; 6 and 7 are reserved, but a guest can write them.
    private static int Bytes(int code) => Math.Min(128 << (code & 7), 4096);

    private void DescribeLink(int speed, int width)
    {
        ushort link = (ushort)(speed | (width << 4));
        _config.Define(Offset + LinkCapabilities, (uint)link);
        _config.Define<ushort>(Offset + LinkControl, 0, writeMask: LinkControlWritable);
        _config.Define(Offset + LinkStatus, link);
        _config.Define(Offset + LinkCapabilities2, ((1u << speed) - 1) << 1); // a bit for each speed, from bit 1
        _config.Define(Offset + LinkControl2, (ushort)speed, writeMask: LinkControl2Writable);
    }

    private void OnDeviceControlWritten(int offset, ReadOnlySpan<byte> written)
    {
        if (_canReset && (written[0] & InitiateFunctionLevelResetHigh) != 0)
            FunctionLevelReset?.Invoke();
    }
}
