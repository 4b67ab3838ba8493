using VfioUser;

namespace E1000.Device;

/// <summary>
/// An interrupt that waits for more to happen: until nothing has happened for one time, or until another has passed since the first.
/// RDTR and RADV for receiving, TIDV and TADV for transmitting. Command thread.
/// </summary>
internal sealed class DelayedInterrupt
{
    private const uint Flush = 1u << 31;

    private readonly Register<uint> _quiet, _atMost; // 1.024 us
    private readonly DeviceTimer _quietTimer, _atMostTimer;
    private readonly Action _raise;

    public DelayedInterrupt(RegisterBlock csr, long offset, string quietName, string atMostName, Func<Action, DeviceTimer> addTimer, Action raise)
    {
        _raise = raise;
        _quietTimer = addTimer(Raise);
        _atMostTimer = addTimer(Raise);
        _quiet = csr.AddRegister<uint>(offset, new() { Name = quietName, WriteMask = 0xFFFF, SelfClearing = Flush, OnWrite = QuietWritten });
        _atMost = csr.AddRegister<uint>(offset + 0xC, new() { Name = atMostName, WriteMask = 0xFFFF });
    }

    public void Happened()
    {
        if (_quiet.Value == 0)
        {
            Raise();
            return;
        }
        _quietTimer.Start(TimeOf(_quiet));
        if (_atMost.Value != 0 && !_atMostTimer.IsRunning)
            _atMostTimer.Start(TimeOf(_atMost));
    }

    public void Reset()
    {
        _quietTimer.Stop();
        _atMostTimer.Stop();
    }

    private static TimeSpan TimeOf(Register<uint> register) => TimeSpan.FromTicks(register.Value * 1024L / TimeSpan.NanosecondsPerTick);

    private void QuietWritten(RegisterWrite<uint> write)
    {
        if (write.Has(Flush) && _quietTimer.IsRunning)
            Raise();
    }

    private void Raise()
    {
        Reset();
        _raise();
    }
}
