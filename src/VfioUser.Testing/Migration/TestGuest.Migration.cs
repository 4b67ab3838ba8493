namespace VfioUser.Testing;

/// <content>Moving to another host.</content>
public sealed partial class TestGuest
{
    /// <summary>Moves the guest to another instance of its device, as a monitor does: memory and, where the device can, state are
    /// copied while it runs, then it is stopped, the rest is copied, and the other one goes on.</summary>
    /// <param name="device">Of the same kind, and served nowhere.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <returns>The guest at the target, to be disposed: with the same memory, allocations and interrupts, and the same options.
    /// This one stays attached to its device, which is stopped.</returns>
    /// <exception cref="TestGuestException">The device cannot be migrated; or it wrote memory when it should have been at rest.</exception>
    /// <exception cref="Client.VfioUserException">A device refused a step: ask with <see cref="GuestMigration.State"/> where it
    /// stands. The target is gone; <see cref="GuestMigration.Resume"/> lets the source go on.</exception>
    /// <remarks>See <c>docs/migration.md</c>.</remarks>
    public TestGuest MigrateTo(PciDevice device, GuestMigrationOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(device);
        if (!Migration.IsSupported)
            throw new TestGuestException($"{Device.GetType().Name} cannot be migrated: its constructor does not call EnableMigration.");
        TestGuest target = new(device, Options with { EnableInterrupts = false });
        try
        {
            new GuestMove(this, target, options ?? new GuestMigrationOptions()).Run();
            return target;
        }
        catch
        {
            // what the target's device threw has come as the cause
            target.Leave();
            throw;
        }
    }
}
