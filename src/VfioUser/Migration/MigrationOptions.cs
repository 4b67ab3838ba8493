namespace VfioUser;

/// <summary>Options for the migration of a device. Immutable.</summary>
/// <remarks>
/// <para>A fleet is upgraded host by host, so guests are migrated between two releases of a device, in both directions. A release whose
/// state differs from that of the release before it has a higher <see cref="Version"/>. For migration to a newer release, each new
/// register declares the version that introduced it (<see cref="RegisterDefinition{T}.Since"/>), and <see cref="MinimumVersion"/> is the
/// oldest version whose streams are accepted. For migration back, <see cref="ReadableFrom"/> is the oldest version that accepts the
/// streams of this one, and that may ignore registers that are <see cref="RegisterMigration.Optional"/>.</para>
/// </remarks>
public sealed record MigrationOptions
{
    /// <summary>Version of the state that the device saves: 1 to 65535.</summary>
    public int Version { get; init; } = 1;

    /// <summary>The oldest version that it restores.</summary>
    public int MinimumVersion { get; init; } = 1;

    /// <summary>The oldest version that can restore what this one saves; null for none older.</summary>
    public int? ReadableFrom { get; init; }

    /// <summary>Whether it can save while the device still runs: for large states, to reduce the guest's downtime.</summary>
    public bool PreCopy { get; init; }

    internal void Check(string parameter)
    {
        if (Version is < 1 or > ushort.MaxValue || MinimumVersion < 1 || MinimumVersion > Version || ReadableFrom < 1 || ReadableFrom > Version)
        {
            throw new ArgumentException(
                $"Versions are 1 to {ushort.MaxValue}, and neither MinimumVersion nor ReadableFrom is above Version, which is {Version}.", parameter);
        }
    }
}
