namespace VfioUser;

/// <summary>What one call of <see cref="DevicePoller.Process"/> did. Immutable.</summary>
/// <param name="Events">What happened.</param>
/// <param name="Commands">How many commands were handled.</param>
public readonly record struct PollResult(PollEvents Events, int Commands);
