namespace VfioUser.Disks;

/// <summary>What a disk has beside <see cref="Disk"/> if its bytes are in memory: it copies them straight to and from the guest's
/// memory, without a buffer in between.</summary>
/// <remarks>On the thread that serves the queue; others may call at the same time. Such a disk waits for nothing but other copies.</remarks>
public interface IInPlaceDisk
{
    /// <summary>Copies bytes to the guest.</summary>
    /// <param name="offset">Of the first one.</param>
    /// <param name="destination">As many as its length; valid until the call returns.</param>
    /// <returns>False if a copy to the guest's memory has failed: then the rest need not be copied.</returns>
    bool TryRead(long offset, GuestBuffer destination);

    /// <summary>Copies bytes from the guest, whose memory may change meanwhile.</summary>
    /// <param name="offset">Of the first one.</param>
    /// <param name="source">As many as its length; valid until the call returns.</param>
    /// <returns>False if a copy from the guest's memory has failed: then the rest need not be copied.</returns>
    bool TryWrite(long offset, GuestBuffer source);
}
