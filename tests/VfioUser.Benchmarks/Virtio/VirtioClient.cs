using System.Runtime.InteropServices;
using VfioUser.Client;
using VfioUser.Protocol;

namespace VfioUser.Benchmarks;

/// <summary>A guest's driver for a virtio disk, in a process of its own: memory, registers, notifications.</summary>
/// <remarks>Once set up, each queue may have its own thread.</remarks>
internal sealed class VirtioClient : IDisposable
{
    private const ulong Base = 0x1_0000_0000;
    private const ulong MemorySize = 16 << 20;

    // VERSION_1 and ACCESS_PLATFORM; INDIRECT_DESC and EVENT_IDX; RING_PACKED
    private const uint UpperFeatures = 1 << 0 | 1 << 1;
    private const uint LowerFeatures = 1 << 28 | 1 << 29;
    private const uint Packed = 1 << 2;

    // where VfioUser.Virtio has its notifications in the BAR
    private const ulong Notify = 0x3000;
    private const ulong NotifyStride = 4;

    private readonly VfioUserClient _client;
    private readonly SharedMemory _memory = SharedMemory.Create(MemorySize);
    private readonly Lock _socket = new();
    private ulong _allocated;

    public VirtioClient(string path, bool isPacked)
    {
        _client = VfioUserClient.Connect(path);
        _client.MapDma(Base, MemorySize, _memory.File);
        EventFd[] irqs = [.. Enumerable.Range(0, NvmeServer.Queues + 1).Select(_ => new EventFd())];
        _client.SetIrqEventFds((uint)IrqType.MsiX, 0, [.. irqs.Select(irq => irq.Handle)]);
        Enable();
        Write(0x14, (byte)0);
        Write(0x14, (byte)3);
        Write(0x08, 0u);
        Write(0x0C, LowerFeatures);
        Write(0x08, 1u);
        Write(0x0C, UpperFeatures | (isPacked ? Packed : 0));
        Write(0x14, (byte)11);
        List<VirtioClientQueue> queues = [];
        for (int i = 0; i < NvmeServer.Queues; i++)
        {
            VirtioClientQueue queue = isPacked ? new PackedClientQueue(this, i, irqs[i + 1]) : new SplitClientQueue(this, i, irqs[i + 1]);
            Write(0x16, (ushort)i);
            Write(0x18, (ushort)VirtioClientQueue.Entries);
            Write(0x1A, (ushort)(i + 1));
            Write(0x20, queue.Descriptors);
            Write(0x28, queue.DriverArea);
            Write(0x30, queue.DeviceArea);
            Write(0x1C, (ushort)1);
            queues.Add(queue);
        }
        Write(0x14, (byte)15);
        Queues = queues;
    }

    public IReadOnlyList<ILoadQueue> Queues { get; }

    /// <summary>Sets whole pages aside.</summary>
    /// <returns>The address for the device.</returns>
    public ulong Allocate(int length)
    {
        ulong address = Base + _allocated;
        _allocated += (ulong)(length + 4095) / 4096 * 4096;
        return address;
    }

    public Span<byte> Memory(ulong address, int length) => _memory.Slice(address - Base, length);

    public ref T At<T>(ulong address)
        where T : unmanaged => ref MemoryMarshal.AsRef<T>(Memory(address, System.Runtime.CompilerServices.Unsafe.SizeOf<T>()));

    /// <summary>Tells the device that a queue has requests.</summary>
    public void Tell(int queue)
    {
        ushort value = (ushort)queue;
        lock (_socket)
            _client.PostRegionWrite((uint)RegionIndex.Bar0, Notify + (ulong)queue * NotifyStride, MemoryMarshal.AsBytes(new ReadOnlySpan<ushort>(in value)));
    }

    public void Dispose()
    {
        _client.Dispose();
        _memory.Dispose();
    }

    private void Write<T>(ulong register, T value)
        where T : unmanaged => _client.WriteRegion((uint)RegionIndex.Bar0, register, MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)));

    private void Enable()
    {
        _client.WriteRegion((uint)RegionIndex.Config, 0x04, [0x06, 0]); // memory space and bus mastering
        byte[] config = new byte[256];
        _client.ReadRegion((uint)RegionIndex.Config, 0, config);
        byte at = config[0x34];
        while (config[at] != 0x11)
            at = config[at + 1];
        _client.WriteRegion((uint)RegionIndex.Config, (ulong)at + 3, [0x80]); // MSI-X
    }
}
