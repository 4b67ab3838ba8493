using System.Numerics;

namespace VfioUser.Testing;

/// <content>Interrupts: a driver's writes to configuration space, and the eventfds that a virtual machine monitor sets up for them.</content>
public sealed partial class PciFunction
{
    private const uint MessageAddress = 0xFEE0_0000;

    /// <summary>The allocated interrupts; null before they are allocated and after they are freed.</summary>
    public GuestInterrupts? Interrupts { get; private set; }

    /// <summary>Enables the best interrupts there are, and disables the others, as Linux's pci_alloc_irq_vectors does.</summary>
    /// <param name="min">Vectors that the driver needs at least.</param>
    /// <param name="max">Vectors that it can use. For MSI this is rounded down to a power of two.</param>
    /// <param name="types">The types that it supports; MSI-X comes first, then MSI, then INTx.</param>
    /// <returns>The vectors, of which <see cref="GuestInterrupts.EnabledCount"/> are signalled.</returns>
    /// <exception cref="TestGuestException">There are too few; or the server's vectors contradict the capability.</exception>
    /// <remarks>It leaves MSI-X table entries alone: the monitor keeps them, and a device does not see them. PCI 3.0 6.8.</remarks>
    public GuestInterrupts AllocateIrqVectors(int min = 1, int max = int.MaxValue, PciIrqTypes types = PciIrqTypes.All)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(min);
        ArgumentOutOfRangeException.ThrowIfLessThan(max, min);
        FreeIrqVectors();
        if (types.HasFlag(PciIrqTypes.MsiX) && MsiXVectors is var msiX && Math.Min(msiX, max) >= min)
            return Interrupts = EnableMsiX(Math.Min(msiX, max));
        if (types.HasFlag(PciIrqTypes.Msi) && Math.Min(MsiVectors, max) is var msi && msi > 0
            && 1 << BitOperations.Log2((uint)msi) is var allotted && allotted >= min)
        {
            return Interrupts = EnableMsi(allotted);
        }
        if (types.HasFlag(PciIrqTypes.Intx) && HasIntx && min == 1)
        {
            ClearCommand(PciCommands.InterruptDisable);
            _guest.Interrupts(IrqType.Intx).Enable();
            return Interrupts = _guest.Interrupts(IrqType.Intx);
        }
        throw new TestGuestException(
            $"{min} vectors of {types} were wanted, and the device has {MsiXVectors} of MSI-X, {MsiVectors} of MSI, and {(HasIntx ? "" : "no ")}INTx.");
    }

    /// <summary>Disables all interrupts, in configuration space and at the server.</summary>
    public void FreeIrqVectors()
    {
        SetControl(ConfigRegister.CapabilityMsiX, ConfigRegister.MsiXEnable, 0);
        SetControl(ConfigRegister.CapabilityMsi, ConfigRegister.MsiEnable | ConfigRegister.MsiMultipleEnable, 0);
        foreach (IrqType type in new[] { IrqType.MsiX, IrqType.Msi, IrqType.Intx })
        {
            if (_guest.Interrupts(type).EnabledCount > 0)
                _guest.Interrupts(type).Disable();
        }
        Interrupts = null;
    }

    private int MsiXVectors => FindCapability(ConfigRegister.CapabilityMsiX) is not { } capability ? 0
        : Agreed(IrqType.MsiX, (capability.Read<ushort>(ConfigRegister.MessageControl) & ConfigRegister.MsiXTableSize) + 1);

    private int MsiVectors => FindCapability(ConfigRegister.CapabilityMsi) is not { } capability ? 0
        : Agreed(IrqType.Msi, 1 << (capability.Read<ushort>(ConfigRegister.MessageControl) >> 1 & 7));

    private bool HasIntx => _guest.Config.Read<byte>(ConfigRegister.InterruptPin) != 0 && Agreed(IrqType.Intx, 1) == 1;

    private GuestInterrupts EnableMsiX(int vectors)
    {
        // masked until each vector has its eventfd
        SetControl(ConfigRegister.CapabilityMsiX, 0, ConfigRegister.MsiXEnable | ConfigRegister.MsiXFunctionMask);
        _guest.MsiX.Enable(vectors);
        SetCommand(PciCommands.InterruptDisable);
        SetControl(ConfigRegister.CapabilityMsiX, ConfigRegister.MsiXFunctionMask, 0);
        return _guest.MsiX;
    }

    private GuestInterrupts EnableMsi(int vectors)
    {
        GuestCapability capability = FindCapability(ConfigRegister.CapabilityMsi)!;
        bool wide = (capability.Read<ushort>(ConfigRegister.MessageControl) & ConfigRegister.MsiAddress64) != 0;
        capability.Write(4, MessageAddress);
        if (wide)
            capability.Write(8, 0u);
        capability.Write<ushort>(wide ? 12 : 8, 0);
        SetCommand(PciCommands.InterruptDisable);
        SetControl(ConfigRegister.CapabilityMsi, ConfigRegister.MsiMultipleEnable,
            (ushort)(BitOperations.Log2((uint)vectors) << 4 | ConfigRegister.MsiEnable));
        _guest.Msi.Enable(vectors);
        return _guest.Msi;
    }

    private void SetControl(byte capability, int clear, int set)
    {
        if (FindCapability(capability) is not { } found)
            return;
        ushort control = found.Read<ushort>(ConfigRegister.MessageControl);
        found.Write(ConfigRegister.MessageControl, (ushort)((control & ~clear) | set));
    }

    // the configuration space and the server must announce the same number of vectors
    private int Agreed(IrqType type, int vectors) => _guest.Interrupts(type).Count == vectors ? vectors
        : throw new TestGuestException($"The configuration space has {vectors} {type} vectors, and the server {_guest.Interrupts(type).Count}.");
}
