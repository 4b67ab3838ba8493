using System.Runtime.InteropServices;
using VfioUser.Client;
using VfioUser.Protocol;

namespace VfioUser.Benchmarks;

/// <summary>A guest's driver for the NVMe sample, in a process of its own: memory, registers, doorbells.</summary>
/// <remarks>Once set up, each queue may have its own thread, but for messages of doorbells.</remarks>
internal sealed class NvmeClient : IDisposable
{
    private const ulong Base = 0x1_0000_0000;
    private const ulong MemorySize = 16 << 20;
    private const ulong DoorbellPage = 0x1000;
    private const byte DoorbellBufferConfig = 0x7C;

    private readonly VfioUserClient _client;
    private readonly SharedMemory _memory = SharedMemory.Create(MemorySize);
    private readonly SharedMemory? _doorbells;
    private readonly Lock _socket = new();
    private readonly ulong? _shadow;
    private readonly ulong _eventIndexes;
    private ulong _allocated;

    public NvmeClient(string path, NvmeDoorbells doorbells)
    {
        _client = VfioUserClient.Connect(path);
        _client.MapDma(Base, MemorySize, _memory.File);
        EventFd[] irqs = [.. Enumerable.Range(0, NvmeServer.Queues + 1).Select(_ => new EventFd())];
        _client.SetIrqEventFds((uint)IrqType.MsiX, 0, [.. irqs.Select(irq => irq.Handle)]);
        Enable();
        using (ClientRegion region = _client.GetRegionInfo((uint)RegionIndex.Bar0))
            _doorbells = region.Areas.Count > 0 ? region.Map(region.Areas[0]) : null;

        NvmeClientQueue admin = new(this, 0, irqs[0]);
        Write(0x24, 0x00FF_00FFu);
        Write(0x28, admin.Submissions);
        Write(0x30, admin.Completions);
        Write(0x14, 1u | 6 << 16 | 4 << 20);
        while ((Read(0x1C) & 1) == 0)
            Thread.Yield();
        List<NvmeClientQueue> queues = [];
        for (uint id = 1; id <= NvmeServer.Queues; id++)
        {
            NvmeClientQueue queue = new(this, (int)id, irqs[id]);
            uint sizeAndId = (NvmeClientQueue.Entries - 1) << 16 | id;
            admin.Execute(0x05, queue.Completions, 0, sizeAndId, id << 16 | 3);
            admin.Execute(0x01, queue.Submissions, 0, sizeAndId, id << 16 | 1);
            queues.Add(queue);
        }
        if (doorbells == NvmeDoorbells.Shadow)
        {
            (ulong shadow, _eventIndexes) = (Allocate(4096), Allocate(4096));
            admin.Execute(DoorbellBufferConfig, shadow, _eventIndexes, 0, 0);
            _shadow = shadow;
        }
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

    /// <summary>Writes a doorbell: even ones are tails, odd ones heads.</summary>
    public void Ring(int index, uint value)
    {
        ulong at = (ulong)index * sizeof(uint);
        if (_shadow is { } shadow && index >= 2)
        {
            ref uint place = ref MemoryMarshal.AsRef<uint>(Memory(shadow + at, sizeof(uint)));
            uint old = place;
            Volatile.Write(ref place, value);
            Interlocked.MemoryBarrier();
            ushort wanted = (ushort)Volatile.Read(ref MemoryMarshal.AsRef<uint>(Memory(_eventIndexes + at, sizeof(uint))));
            if ((ushort)(value - wanted - 1) >= (ushort)(value - old))
                return;
        }
        if (_doorbells is not null)
        {
            Volatile.Write(ref MemoryMarshal.AsRef<uint>(_doorbells.Slice(at, sizeof(uint))), value);
            return;
        }
        lock (_socket)
            _client.PostRegionWrite((uint)RegionIndex.Bar0, DoorbellPage + at, MemoryMarshal.AsBytes(new ReadOnlySpan<uint>(in value)));
    }

    public void Dispose()
    {
        _doorbells?.Dispose();
        _client.Dispose();
        _memory.Dispose();
    }

    private uint Read(ulong register)
    {
        uint value = 0;
        _client.ReadRegion((uint)RegionIndex.Bar0, register, MemoryMarshal.AsBytes(new Span<uint>(ref value)));
        return value;
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
