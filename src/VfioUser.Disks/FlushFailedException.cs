namespace VfioUser.Disks;

/// <summary>A flush failed, this one or an earlier one: writes were lost that had been completed.</summary>
/// <param name="message">What happened.</param>
/// <param name="cause">The failure of the flush that failed first.</param>
public sealed class FlushFailedException(string message, Exception cause) : IOException(message, cause);
