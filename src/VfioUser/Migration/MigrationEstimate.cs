namespace VfioUser;

/// <summary>How much of a device's own state is left to be saved, as well as the device knows.</summary>
/// <param name="Bytes">All that a save would give from now on, if the device were stopped.</param>
/// <param name="WhileRunning">How much of that it would give while the device still runs; 0 without pre-copy.</param>
/// <remarks>Immutable. A client plans with it how long the guest stands still: rather too much than too little.</remarks>
public readonly record struct MigrationEstimate(long Bytes, long WhileRunning = 0);
