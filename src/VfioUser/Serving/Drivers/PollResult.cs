namespace VfioUser;

/// <summary>The result of <see cref="DevicePoller.Process"/>. Immutable.</summary>
/// <param name="Events">What was done.</param>
/// <param name="Commands">Number of commands handled.</param>
public readonly record struct PollResult(PollEvents Events, int Commands);
