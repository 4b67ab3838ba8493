using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests;

/// <summary>A device with interrupts of every type, and how tests speak to the guest's side of them.</summary>
internal sealed class IrqDevice : PciDevice
{
    public const int TableOffset = 0x800;
    public const int PendingOffset = 0xC00;

    public IrqDevice(int msi = 4, int msiX = 3)
        : base(new PciId(Vendor: 0x1B36, Device: 0x00F1), PciClass.ProcessingAccelerator)
    {
        Bar bar = AddBar(0, BarKind.Memory64, 0x10000);
        Intx = AddIntx();
        Msi = AddMsi(msi);
        MsiX = bar.AddMsiX(TableOffset, msiX, msiX <= 64 ? PendingOffset : null);
        Error = AddErrorIrq();
        Request = AddRequestIrq();
    }

    public Intx Intx { get; }

    public IrqVectors Msi { get; }

    public IrqVectors MsiX { get; }

    public Irq Error { get; }

    public Irq Request { get; }

    public IrqVectors All(IrqType type) => type switch
    {
        IrqType.Msi => Msi,
        IrqType.MsiX => MsiX,
        _ => new IrqVectors(type, type switch { IrqType.Intx => Intx, IrqType.Error => Error, _ => Request }),
    };
}

internal static class GuestIrqCommands
{
    public static void Set(this TestGuest guest, IrqSetFlags flags, IrqType type, uint start, uint count, byte[]? bools = null, params EventFd[] eventFds) =>
        guest.Client.SetIrqs(new IrqSet((uint)(IrqSet.WireSize + (bools?.Length ?? 0)), flags, (uint)type, start, count), bools,
            [.. eventFds.Select(eventFd => eventFd.Handle)]);
}
