namespace VfioUser.Testing;

/// <content>Migration to another host.</content>
public sealed partial class TestGuest
{
    /// <summary>Migrates the guest to another instance of its device, as a virtual machine monitor does: copies memory and, if the
    /// device supports pre-copy, state while the device runs, then stops it, copies the rest, and starts the other one.</summary>
    /// <param name="device">Of the same kind, and not served.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <returns>The guest at the target, to be disposed: with the same memory, allocations and interrupts, and the same options.
    /// This one stays attached to its device, which is stopped.</returns>
    /// <exception cref="TestGuestException">The device cannot be migrated; or it wrote memory while it was stopped.</exception>
    /// <exception cref="Client.VfioUserException">A device refused a step: <see cref="GuestMigration.GetState"/> gives the source's
    /// state. The target is detached; <see cref="GuestMigration.Resume"/> lets the source run again.</exception>
    /// <remarks>See <c>docs/migration.md</c>.</remarks>
    public TestGuest MigrateTo(PciDevice device, GuestMigrationOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(device);
        return MigrateTo(() => new TestGuest(device, Options with { EnableInterrupts = false }), options);
    }

    /// <summary>Migrates the guest to another server of its device, as <see cref="MigrateTo(PciDevice, GuestMigrationOptions?)"/> does.</summary>
    /// <param name="path">Of its socket; or <c>@name</c> for a name in the abstract namespace.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <inheritdoc cref="MigrateTo(PciDevice, GuestMigrationOptions?)" path="/*[not(self::param)]"/>
    public TestGuest MigrateTo(string path, GuestMigrationOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return MigrateTo(() => new TestGuest(null, path, Options with { EnableInterrupts = false }), options);
    }

    private TestGuest MigrateTo(Func<TestGuest> attach, GuestMigrationOptions? options)
    {
        if (Migration.GetFlags() == Protocol.MigrationFlags.None)
            throw new TestGuestException($"{DeviceName} cannot be migrated: a device's constructor calls EnableMigration.");
        TestGuest target = attach();
        try
        {
            new GuestMove(this, target, options ?? new GuestMigrationOptions()).Run();
            return target;
        }
        catch
        {
            // an exception of the target's device is already the inner one: ignore what leaving reports
            target.Leave();
            throw;
        }
    }
}
