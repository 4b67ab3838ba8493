using BenchmarkDotNet.Attributes;

namespace VfioUser.Benchmarks;

/// <summary>What posts, timers and workers cost who uses them.</summary>
[MemoryDiagnoser]
[ShortRunJob]
public class WorkCost
{
    private readonly Device _device = new();
    private readonly DeviceWork _work = new();
    private VfioUserServer _server = null!;
    private Task _running = Task.CompletedTask;

    /// <summary>Serves the device without a client: the Command thread sleeps.</summary>
    [GlobalSetup]
    public void Setup()
    {
        _server = VfioUserServer.BindAbstract($"vfio-user-work-{Environment.ProcessId}");
        _running = _server.RunAsync(_device);
    }

    /// <summary>Ends it.</summary>
    [GlobalCleanup]
    public void Cleanup()
    {
        _server.Dispose();
        _running.Wait();
    }

    /// <summary>From another thread to the sleeping Command thread and back.</summary>
    [Benchmark]
    public void PostRoundTrip() => _device.PostAndWait();

    /// <summary>A thousand actions that another thread posts, until the last has run; for one of them.</summary>
    [Benchmark(OperationsPerInvoke = 1000)]
    public void PostMany() => _device.PostAndWait(1000);

    /// <summary>A timer that is started again before it is due, as a watchdog's is.</summary>
    [Benchmark]
    public void TimerRestart() => _device.Watchdog.Start(TimeSpan.FromHours(1));

    /// <summary>From the start of a timer of 100 µs to its call.</summary>
    [Benchmark]
    public void Timer100Microseconds() => _device.WaitForTimer(TimeSpan.FromMicroseconds(100));

    /// <summary>A worker that enters and leaves.</summary>
    [Benchmark]
    public void WorkEnterExit()
    {
        using (_work.Enter())
        {
            // what it costs is to come and go
        }
    }

    private sealed class Device : PciDevice
    {
        private readonly ManualResetEventSlim _done = new(initialState: false, spinCount: 0);
        private readonly DeviceTimer _timer;
        private readonly Action _set;
        private readonly Action _nothing = () => { };

        public Device()
            : base(new PciId(0x1B36, 0x00F9), PciClass.Other)
        {
            RequiresBusMaster = false;
            _set = _done.Set;
            _timer = AddTimer(_set);
            Watchdog = AddTimer(_nothing);
        }

        public DeviceTimer Watchdog { get; }

        public void PostAndWait(int count = 1)
        {
            _done.Reset();
            for (int i = 1; i < count; i++)
                Post(_nothing);
            Post(_set);
            _done.Wait();
        }

        public void WaitForTimer(TimeSpan due)
        {
            _done.Reset();
            _timer.Start(due);
            _done.Wait();
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                _done.Dispose();
            base.Dispose(disposing);
        }
    }
}
