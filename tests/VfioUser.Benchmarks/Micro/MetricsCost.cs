using System.Diagnostics.Metrics;
using System.Net.Sockets;
using BenchmarkDotNet.Attributes;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser.Benchmarks;

/// <summary>What measuring costs: each path when nobody listens, and when somebody listens to everything.</summary>
[MemoryDiagnoser]
[ShortRunJob]
public class MetricsCost : IDisposable
{
    private const int Writes = 256;
    private const ulong Memory = 0x10_0000;

    private readonly MeteredDevice _device = new();
    private readonly EventFd _eventFd = new();
    // posted writes, and a read whose reply says that they are done
    private readonly byte[] _writes = [.. Requests.Repeat(Requests.Write(0, 0, 4, posted: true), Writes), .. Requests.Read(0, 0, 4)];
    private readonly byte[] _buffer = new byte[64];
    private MeterListener? _listener;
    private MessageSocket? _client;
    private VfioUserServer? _server;
    private long _heard;

    /// <summary>Whether somebody listens.</summary>
    [Params(false, true)]
    public bool Listening { get; set; }

    /// <summary>Attaches a client that maps memory and listens to an interrupt.</summary>
    [GlobalSetup]
    public void Setup()
    {
        if (Listening)
            Listen();
        (SafeSocketHandle serverEnd, SafeSocketHandle clientEnd) = SocketCalls.CreatePair();
        _client = new MessageSocket(clientEnd);
        _server = VfioUserServer.FromConnected(serverEnd, new VfioUserServerOptions { Name = "benchmark" });
        _ = _server.RunAsync(_device);
        Ask(Requests.Version());
        Ask(Requests.SetIrq(), _eventFd.Handle);
        using SharedMemory memory = SharedMemory.Create(4096, "benchmark");
        Ask(Requests.Map(Memory), memory.File);
    }

    /// <summary>A posted write to a register, of many that come together.</summary>
    [Benchmark(OperationsPerInvoke = Writes)]
    public void RegionWrite() => Ask(_writes);

    /// <summary>Lookup, lease and release, without a copy.</summary>
    [Benchmark]
    public void DmaLease()
    {
        _device.Dma.TryLease(new Iova(Memory), 64, writable: true, out DmaLease lease);
        lease.Dispose();
    }

    /// <summary>Lookup, a copy of a cache line, release.</summary>
    [Benchmark]
    public bool DmaRead() => _device.Dma.TryRead(new Iova(Memory), _buffer);

    /// <summary>Lookup, work in place, release.</summary>
    [Benchmark]
    public bool DmaAccess() => _device.Dma.TryAccess(new Iova(Memory), 8, writable: true, 1, static (memory, state) => memory[0] += (byte)state);

    /// <summary>One write to an eventfd.</summary>
    [Benchmark]
    public bool IrqTrigger() => _device.Irq.Trigger();

    /// <inheritdoc/>
    [GlobalCleanup]
    public void Dispose()
    {
        _client?.Dispose();
        _server?.Dispose();
        _eventFd.Dispose();
        _listener?.Dispose();
        if (Listening && Interlocked.Read(ref _heard) == 0)
            throw new InvalidOperationException("Somebody listened and heard nothing.");
    }

    private void Listen()
    {
        _listener = new MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (VfioUserServer.MeterName.Equals(instrument.Meter.Name, StringComparison.Ordinal))
                    listener.EnableMeasurementEvents(instrument);
            },
        };
        _listener.SetMeasurementEventCallback<long>((_, value, _, _) => Volatile.Write(ref _heard, value));
        _listener.SetMeasurementEventCallback<double>((_, _, _, _) => { });
        _listener.Start();
    }

    private void Ask(byte[] messages, params ReadOnlySpan<System.Runtime.InteropServices.SafeHandle> fds)
    {
        if (!_client!.Send(messages, default, fds))
            throw new InvalidOperationException("The server has hung up.");
        ReceivedMessage reply;
        while (!_client.TryParse(out reply))
            _client.Receive(wait: true);
        if (reply.Header.IsError)
            throw new InvalidOperationException($"The server refused: {reply.Header}.");
    }

    private sealed class MeteredDevice : PciDevice
    {
        public MeteredDevice()
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
