using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <content>Guest memory for a simulator or another process.</content>
public sealed partial class Dma
{
    /// <summary>Whether regions keep the descriptors that came with them. Set at setup.</summary>
    internal bool KeepsDescriptors { get; set; }

    /// <summary>Duplicates the descriptor that the client sent for guest memory, to pass it to another process or to map it again.</summary>
    /// <param name="address">First byte.</param>
    /// <param name="length">In bytes; the range must lie in one DMA region.</param>
    /// <param name="file">The caller's, to be disposed; not valid on failure. It has the client's rights, and is of the whole file: most
    /// clients have all of the guest's memory in one.</param>
    /// <param name="offset">Of the first byte in the file, in bytes.</param>
    /// <returns>Done; <see cref="DmaStatus.NoDescriptor"/> for memory that is accessed by messages; <see cref="DmaStatus.NotContiguous"/>
    /// if the range goes on in another region; otherwise why and where it failed.</returns>
    /// <exception cref="InvalidOperationException">The device does not keep descriptors: see <see cref="PciDevice"/>'s
    /// KeepsDmaDescriptors.</exception>
    /// <exception cref="IOException">The process has as many descriptors open as it may.</exception>
    /// <remarks>
    /// Any thread. The descriptor, and a mapping that was made of it, outlive the region: the client's unmap does not wait for them, and
    /// the guest then uses the memory for something else. Stop using them in <see cref="PciDevice.OnDmaUnmapping"/>. What is written
    /// through them is not seen by dirty page logging: see <see cref="MarkDirty"/>.
    /// </remarks>
    public DmaResult TryDuplicateDescriptor(Iova address, ulong length, out SafeFileHandle file, out long offset)
    {
        if (!KeepsDescriptors)
            throw new InvalidOperationException("The device does not keep the descriptors of guest memory. Set KeepsDmaDescriptors in its constructor.");
        file = new SafeFileHandle();
        offset = 0;
        if (Wraps(address, length))
            return Overflow(address.Value);
        if (_reachable.Find(address.Value) is not { } region || !region.TryEnter())
            return new DmaResult(UnlessReachable(address.Value) ?? DmaStatus.NotMapped, address);
        try
        {
            ulong behind = region.Last - address.Value;
            if (length > 0 && length - 1 > behind)
            {
                Iova next = address + behind + 1;
                return new DmaResult(_reachable.Find(next.Value) is null ? DmaStatus.NotMapped : DmaStatus.NotContiguous, next);
            }
            if (region.File is not { } kept)
                return new DmaResult(DmaStatus.NoDescriptor, address);
            SafeFileHandle copy = FileCalls.Duplicate(kept.File);
            file.Dispose();
            file = copy;
            offset = (long)(region.FileOffset + (address.Value - region.Start)); // in a file: checked when it was mapped
            return DmaResult.Done;
        }
        finally
        {
            region.Exit();
        }
    }
}
