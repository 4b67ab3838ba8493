namespace VfioUser.Testing;

/// <summary>INTx, as the guest receives it: level-triggered and automasked.</summary>
public sealed class GuestIntx : GuestIrq
{
    private const int Status = 0x06;
    private const ushort InterruptStatus = 0x0008;

    internal GuestIntx(TestGuest guest)
        : base(guest, IrqType.Intx, 0)
    {
    }

    /// <summary>Reads whether the device asserts it, masked or not: the Interrupt Status bit. PCI 3.0 6.2.3.</summary>
    public bool ReadIsAsserted() => (Guest.Config.Read<ushort>(Status) & InterruptStatus) != 0;

    /// <summary>Handles it as a driver does: waits until it comes, removes the cause, and unmasks it.</summary>
    /// <param name="removeCause">Makes the device deassert it, for example by a write to a status register.</param>
    /// <exception cref="TestGuestException">It did not come, or the device still asserts it.</exception>
    public void Service(Action removeCause)
    {
        ArgumentNullException.ThrowIfNull(removeCause);
        WaitForNext();
        removeCause();
        bool stays = ReadIsAsserted();
        Unmask();
        if (stays)
            throw new TestGuestException(Guest.WithLog("INTx is still asserted after its cause was removed."));
    }
}
