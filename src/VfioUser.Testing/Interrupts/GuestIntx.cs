namespace VfioUser.Testing;

/// <summary>The interrupt pin, as the guest receives it: a level, which masks itself when it comes.</summary>
public sealed class GuestIntx : GuestIrq
{
    private const int Status = 0x06;
    private const ushort InterruptStatus = 0x0008;

    internal GuestIntx(TestGuest guest)
        : base(guest, PciIrq.Intx, 0)
    {
    }

    /// <summary>Whether the device asserts it, masked or not: the Interrupt Status bit. PCI 3.0 6.2.3.</summary>
    public bool IsAsserted => (Guest.Config.Read<ushort>(Status) & InterruptStatus) != 0;

    /// <summary>Handles it as a driver does: waits until it comes, removes the cause, and unmasks it.</summary>
    /// <param name="removeCause">What makes the device deassert it, such as a write to a status register.</param>
    /// <exception cref="TestGuestException">It did not come, or the device asserts it still.</exception>
    public void Service(Action removeCause)
    {
        ArgumentNullException.ThrowIfNull(removeCause);
        WaitForNext();
        removeCause();
        bool stays = IsAsserted;
        Unmask();
        if (stays)
            throw new TestGuestException(Guest.Tell("The interrupt pin is asserted still after its cause was removed."));
    }
}
