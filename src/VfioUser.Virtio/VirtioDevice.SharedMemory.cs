using System.Numerics;

namespace VfioUser.Virtio;

/// <content>Memory that the device shares with its driver.</content>
public abstract partial class VirtioDevice
{
    private const int MaxSharedMemory = 2;
    private const long SharedPageSize = 4096;
    private const long MaxSharedLength = 1L << 40;

    // behind that of the registers; each takes two numbers
    private const int FirstSharedBar = 2;

    private readonly List<byte> _sharedIds = [];

    /// <summary>Adds memory that device and driver share: the client maps it, and the device uses spans.</summary>
    /// <param name="id">By which the type's specification, and the driver, know it; of no other that the device has.</param>
    /// <param name="length">In bytes: a multiple of 4096, up to 1 TiB.</param>
    /// <returns>The memory, from its offset 0 on. It lives as long as the device. A migration carries it.</returns>
    /// <exception cref="ArgumentException">The ID is there already, or the length cannot be.</exception>
    /// <exception cref="InvalidOperationException">The device has two already, or is being served.</exception>
    /// <remarks>Setup. It has a BAR of its own, number 2 or 4. VIRTIO 1.3 2.10 "Shared Memory Regions", 4.1.4.7.</remarks>
    public RegionMemory AddSharedMemory(byte id, long length)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(length, SharedPageSize);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, MaxSharedLength);
        if (length % SharedPageSize != 0)
            throw new ArgumentException($"{length} bytes of shared memory: take a multiple of {SharedPageSize}.", nameof(length));
        if (_sharedIds.Contains(id))
            throw new ArgumentException($"The device has shared memory with the ID {id}.", nameof(id));
        if (_sharedIds.Count == MaxSharedMemory)
            throw new InvalidOperationException($"The device has {MaxSharedMemory} regions of shared memory, and there is no BAR left.");
        long size = (long)BitOperations.RoundUpToPowerOf2((ulong)length);
        Bar bar = AddBar(FirstSharedBar + 2 * _sharedIds.Count, BarKind.Memory64Prefetchable, size);
        RegionMemory memory = bar.ShareMemory(new MemoryArea(0, length));
        VirtioCapabilities.AddSharedMemory(Config, bar.Number, id, length);
        _sharedIds.Add(id);
        return memory;
    }
}
