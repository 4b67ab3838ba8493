using BenchmarkDotNet.Attributes;
using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Benchmarks;

/// <summary>The paths that must not allocate, each without a socket's time in it where that can be.</summary>
[MemoryDiagnoser]
[ShortRunJob]
public class HotPaths : IDisposable
{
    private readonly HotDevice _device = new();
    private readonly byte[] _page = new byte[4096];
    private TestGuest? _guest;
    private Iova _buffer;

    /// <summary>Attaches a guest whose memory is mapped.</summary>
    [GlobalSetup]
    public void Setup()
    {
        _guest = TestGuest.Attach(_device);
        _buffer = _guest.Place(_page);
    }

    /// <summary>A round trip over the socket: what the client's and the server's side allocate together.</summary>
    [Benchmark]
    public uint RegionRead() => _guest!.Bar0.Read<uint>(0);

    /// <summary>A round trip over the socket.</summary>
    [Benchmark]
    public void RegionWrite() => _guest!.Bar0.Write(0, 1u);

    /// <summary>One write to an eventfd.</summary>
    [Benchmark]
    public bool IrqTrigger() => _device.Irq.Trigger();

    /// <summary>Lookup, copy of a page, release.</summary>
    [Benchmark]
    public bool DmaRead() => _device.Dma.TryRead(_buffer, _page);

    /// <summary>Lookup, copy of a page, release.</summary>
    [Benchmark]
    public bool DmaWrite() => _device.Dma.TryWrite(_buffer, _page);

    /// <summary>Work on guest memory in place.</summary>
    [Benchmark]
    public bool DmaAccess() => _device.Dma.TryAccess(_buffer, 8, writable: true, 1, static (memory, state) => memory[0] += (byte)state);

    /// <inheritdoc/>
    [GlobalCleanup]
    public void Dispose() => _guest?.Dispose();

    private sealed class HotDevice : PciDevice
    {
        public HotDevice()
            : base(new PciId(0x1B36, 0x00F0), PciClass.Unclassified)
        {
            RequiresBusMaster = false;
            Bar bar0 = AddBar(0, BarKind.Memory32, 0x2000);
            bar0.AddRegister<uint>(0);
            Irq = bar0.AddMsiX(0x1000, 1)[0];
        }

        public Irq Irq { get; }
    }
}
