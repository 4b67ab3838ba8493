namespace VfioUser.Disks;

/// <summary>What a disk has beside <see cref="Disk"/> if it can read into the guest's memory and write from it, without a buffer in
/// between: since its bytes are in memory, or by system calls.</summary>
/// <remarks>Calls are made as those of <see cref="Disk"/>: several at once, and on a thread of their own if <see cref="Disk.MayBlock"/>. The
/// guest's unmap waits for a call, so such a disk does not wait for a network. Exceptions are those of <see cref="Disk"/>.</remarks>
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
