namespace VfioUser.Disks;

/// <summary>An access of a disk failed, for a reason that the guest's driver is told.</summary>
/// <param name="error">The reason.</param>
/// <param name="message">For the log.</param>
/// <param name="cause">What is behind it, or null.</param>
public class DiskException(DiskError error, string? message = null, Exception? cause = null)
    : IOException(message ?? $"The disk failed: {error}.", cause)
{
    /// <summary>The reason.</summary>
    public DiskError Error => error;
}
