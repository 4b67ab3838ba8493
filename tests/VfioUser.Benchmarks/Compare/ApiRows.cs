using System.Diagnostics;

namespace VfioUser.Benchmarks;

/// <summary>The rows of what device code calls: registers, timers and posts, beside what it would use without the library.</summary>
internal sealed class ApiRows
{
    private const int Times = 1_000_000;
    private const int Posts = 1_000; // at a time: a queue holds more

    private readonly Device _device = new();
    private uint _bare;
    private uint _sum;

    public IEnumerable<Row> All()
    {
        yield return new Row("a register's field, read", "ns", 3,
            () => Each(() =>
            {
                for (int i = 0; i < Times; i++)
                    _sum += Volatile.Read(ref _bare) >> 8 & 0xFF;
            }),
            () => Each(() =>
            {
                for (int i = 0; i < Times; i++)
                    _sum += _device.Field.Value;
            }))
        {
            IsDifference = true,
        };
        yield return new Row("a register's field, written", "ns", 5,
            () => Each(() =>
            {
                for (uint i = 0; i < Times; i++)
                    SetBare(i & 0xFF);
            }),
            () => Each(() =>
            {
                for (uint i = 0; i < Times; i++)
                    _device.Field.Value = (byte)i;
            }))
        {
            IsDifference = true,
        };
        using VfioUserServer server = VfioUserServer.BindAbstract($"vfio-user-api-{Environment.ProcessId}");
        Task serving = server.RunAsync(_device);
        using Timer timer = new(static _ => { });
        yield return new Row("a timer, started and stopped", "ns", 2,
            () => Each(() =>
            {
                for (int i = 0; i < Times; i++)
                {
                    timer.Change(TimeSpan.FromHours(1), Timeout.InfiniteTimeSpan);
                    timer.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
                }
            }),
            () => Each(() =>
            {
                for (int i = 0; i < Times; i++)
                {
                    _device.Watchdog.Start(TimeSpan.FromHours(1));
                    _device.Watchdog.Stop();
                }
            }));
        using BareQueue queue = new();
        yield return new Row("a post, until it has run, of 1,000", "ns", 2, () => EachPost(queue.RunAll), () => EachPost(_device.RunAll));
        server.Dispose();
        serving.Wait();
    }

    // what a field without the library needs: no bit of the others may be lost
    private void SetBare(uint value)
    {
        uint seen = Volatile.Read(ref _bare);
        while (true)
        {
            uint found = Interlocked.CompareExchange(ref _bare, seen & ~0xFF00u | value << 8, seen);
            if (found == seen)
                return;
            seen = found;
        }
    }

    private static double Each(Action times)
    {
        long start = Stopwatch.GetTimestamp();
        times();
        return Stopwatch.GetElapsedTime(start).TotalNanoseconds / Times;
    }

    private static double EachPost(Action<int> runAll)
    {
        const int Rounds = 50;
        double each = 0;
        Thread poster = new(() =>
        {
            Bare.Pin(0); // the thread that runs them has the client's core
            long start = Stopwatch.GetTimestamp();
            for (int i = 0; i < Rounds; i++)
                runAll(Posts);
            each = Stopwatch.GetElapsedTime(start).TotalNanoseconds / (Rounds * Posts);
        });
        poster.Start();
        poster.Join();
        return each;
    }

    private sealed class Device : PciDevice
    {
        private readonly ManualResetEventSlim _done = new(initialState: false, spinCount: 0);
        private readonly Action _set;
        private readonly Action _nothing = () => { };

        public Device()
            : base(new PciId(0x1B36, 0x00F9), PciClass.Other)
        {
            RequiresBusMaster = false;
            Field = AddBar(0, BarKind.Memory32, 0x1000).AddRegister<uint>(0, new RegisterOptions<uint> { Name = "CTRL" }).AddField<byte>(8, 8, "MODE");
            Watchdog = AddTimer(_nothing);
            _set = _done.Set;
        }

        public RegisterField<byte> Field { get; }

        public DeviceTimer Watchdog { get; }

        public void RunAll(int count)
        {
            _done.Reset();
            for (int i = 1; i < count; i++)
                Post(_nothing);
            Post(_set);
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
