using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;

namespace VfioUser.Docs.Tests.Dma;

/// <summary>Gives the guest's memory to a simulator, which maps it itself and has to stop in time.</summary>
internal sealed class Simulator : PciDevice
{
    private readonly Lock _lock = new();
    private readonly Dictionary<Iova, SharedMemory> _mapped = [];

    public Simulator()
        : base(new PciId(Vendor: 0x1B36, Device: 0x00EC), PciClass.ProcessingAccelerator)
    {
        KeepsDmaDescriptors = true;
    }

    /// <summary>How many regions the simulator can access.</summary>
    public int Count => _mapped.Count;

    /// <summary>Any thread.</summary>
    public DmaResult Give(DmaRegion region)
    {
        lock (_lock) // no region is unmapped between the duplicate and the simulator's mapping
        {
            DmaResult result = Dma.TryDuplicateDescriptor(region.Address, region.Length, out SafeFileHandle file, out long offset);
            if (result)
                _mapped[region.Address] = SharedMemory.Map(file, (ulong)offset, region.Length); // takes the descriptor over
            return result; // NoDescriptor: by message only
        }
    }

    protected override void OnDmaUnmapping(DmaRegion region)
    {
        lock (_lock)
        {
            if (_mapped.Remove(region.Address, out SharedMemory? memory))
                memory.Dispose(); // the guest uses it for something else afterwards
        }
    }

    /// <summary>What the simulator finds in the first byte of a region; null if it cannot access it.</summary>
    public byte? Peek(Iova address)
    {
        lock (_lock)
            return _mapped.TryGetValue(address, out SharedMemory? memory) ? memory.Slice(0, 1)[0] : null;
    }
}
