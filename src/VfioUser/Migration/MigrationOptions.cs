namespace VfioUser;

/// <summary>Options for the migration of a device. Immutable.</summary>
/// <remarks>
/// <para>A fleet is upgraded host by host, so that devices of two releases move to each other. A release that saves anything else
/// than the one before it has a higher <see cref="Version"/>. It says of each new register since when there is one
/// (<see cref="RegisterDefinition{T}.Since"/>), and takes the streams of older releases from <see cref="MinimumVersion"/> on. So that
/// guests can move back, it says which older release can do with what it saves (<see cref="ReadableFrom"/>), and what of it that
/// release may ignore (<see cref="RegisterDefinition{T}.Optional"/>).</para>
/// </remarks>
public sealed record MigrationOptions
{
    /// <summary>Of what the device saves: 1 to 65535.</summary>
    public int Version { get; init; } = 1;

    /// <summary>The oldest version that it restores.</summary>
    public int MinimumVersion { get; init; } = 1;

    /// <summary>The oldest version that can restore what this one saves; null for none older.</summary>
    public int? ReadableFrom { get; init; }

    /// <summary>Whether it can save while the device still runs: for large states, so that the guest stands still for a shorter time.</summary>
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
