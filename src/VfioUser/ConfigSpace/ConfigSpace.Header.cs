namespace VfioUser;

public sealed partial class ConfigSpace
{
    // The bits of the command register that PCI Express keeps. The others are hardwired to 0, as PCI 3.0 6.2.2 permits: special
    // cycles, memory write and invalidate, palette snooping, stepping and fast back-to-back mean nothing without a bus.
    private const ushort CommandWritable =
        PciRegister.CommandIoSpace | PciRegister.CommandMemorySpace | PciRegister.CommandBusMaster |
        PciRegister.CommandParityErrorResponse | PciRegister.CommandSerrEnable | PciRegister.CommandInterruptDisable;

    /// <summary>Whether the guest has enabled the device's memory space.</summary>
    /// <remarks>Any thread. Command register, bit 1; PCI 3.0 6.2.2.</remarks>
    public bool IsMemoryEnabled => HasCommand(PciRegister.CommandMemorySpace);

    /// <summary>Whether the guest has enabled the device's I/O space.</summary>
    /// <remarks>Any thread. Command register, bit 0; PCI 3.0 6.2.2.</remarks>
    public bool IsIoEnabled => HasCommand(PciRegister.CommandIoSpace);

    /// <summary>Whether the guest has enabled bus mastering: DMA and message-signalled interrupts.</summary>
    /// <remarks>Any thread. Command register, bit 2; PCI 3.0 6.2.2.</remarks>
    public bool IsBusMasterEnabled => HasCommand(PciRegister.CommandBusMaster);

    /// <summary>Whether the guest has disabled INTx.</summary>
    /// <remarks>Any thread. Command register, bit 10; PCI 3.0 6.2.2.</remarks>
    public bool IsIntxDisabled => HasCommand(PciRegister.CommandInterruptDisable);

    /// <summary>Whether the guest has enabled reports of fatal and non-fatal errors. Any thread. Command register, bit 8.</summary>
    internal bool SystemErrorEnabled => HasCommand(PciRegister.CommandSerrEnable);

    /// <summary>Called on the Command thread when a guest has written to the command register, changed or not.</summary>
    internal Action? CommandWritten { get; set; }

    /// <summary>Called when Bus Master Enable has changed: by a guest, a reset, a restore or the device. Setup, and the Command
    /// thread.</summary>
    internal Action? BusMasterChanged { get; set; }

    /// <summary>Sets the Interrupt Pin register. Setup; 0 for none, 1 for INTA to 4 for INTD. PCI 3.0 6.2.4.</summary>
    internal void SetInterruptPin(byte pin)
    {
        ThrowIfSealed();
        if (pin > 4)
            throw new ArgumentOutOfRangeException(nameof(pin), pin, "The pin is 0 for none, or 1 (INTA) to 4 (INTD).");

        Write(PciRegister.InterruptPin, pin);
    }

    /// <summary>Shows the level of INTx in the status register, regardless of <see cref="IsIntxDisabled"/>. Any thread. A reset
    /// leaves it alone, since it is the device's state and not the guest's.</summary>
    internal void SetInterruptStatus(bool asserted) =>
        SetBits(PciRegister.Status, (byte)PciRegister.StatusInterrupt, asserted ? (byte)0xFF : (byte)0);

    /// <summary>Shows in the status register that the device has reported a fatal or non-fatal error. Any thread.</summary>
    internal void SignalSystemError() => SetBits(PciRegister.Status + 1, PciRegister.StatusSignaledSystemError >> 8, 0xFF);

    private void DescribeHeader(PciId id, PciClass deviceClass)
    {
        _claims.Add((0, PciRegister.HeaderSize, "the header"));

        Define(PciRegister.VendorId, id.Vendor);
        Define(PciRegister.DeviceId, id.Device);
        Define<ushort>(PciRegister.Command, 0, writeMask: CommandWritable);
        Define<ushort>(PciRegister.Status, 0, clearMask: PciRegister.StatusErrors);
        Define(PciRegister.RevisionId, id.Revision);
        Define(PciRegister.ClassCode, [deviceClass.ProgIf, deviceClass.Sub, deviceClass.Base], default, default);
        Define<byte>(PciRegister.CacheLineSize, 0, writeMask: 0xFF);
        Define<byte>(PciRegister.LatencyTimer, 0, writeMask: 0xFF);
        Define(PciRegister.SubsystemVendorId, id.SubsystemVendor);
        Define(PciRegister.SubsystemId, id.Subsystem);
        Define<byte>(PciRegister.InterruptLine, 0, writeMask: 0xFF);

        Watch(PciRegister.Command, sizeof(ushort), (_, _) => CommandWritten?.Invoke());
    }

    private bool HasCommand(ushort bit)
    {
        // The byte that holds the bit, since only single bytes are read and written atomically.
        int offset = PciRegister.Command + (bit > 0xFF ? 1 : 0);
        return (ReadByte(offset) & (bit > 0xFF ? bit >> 8 : bit)) != 0;
    }
}
