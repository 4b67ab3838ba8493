namespace VfioUser;

/// <summary>Estimate of how much of a device's own state is left to save.</summary>
/// <param name="Bytes">Bytes that would be saved from now on if the device were stopped.</param>
/// <param name="WhileRunning">How many of them can be saved while the device still runs; 0 without pre-copy.</param>
/// <remarks>Immutable. Clients predict the guest's downtime with it: estimate too much rather than too little.</remarks>
public readonly record struct MigrationEstimate(long Bytes, long WhileRunning = 0);
