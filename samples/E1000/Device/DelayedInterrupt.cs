using VfioUser;

namespace E1000.Device;

/// <summary>
/// An interrupt that waits for more to happen: until nothing has happened for one time, until another has passed since the first, until
/// enough has happened, or until the guest is interrupted for something else. RDTR and RADV for receiving, TIDV and TADV for
/// transmitting. Command thread.
/// </summary>
internal sealed class DelayedInterrupt
{
    private const uint Flush = 1u << 31;

    private readonly Register<uint> _quiet, _atMost; // 1.024 us
    private readonly DeviceTimer _quietTimer, _atMostTimer;
    private readonly Interrupts _interrupts;
    private readonly InterruptCauses _cause;
    private readonly TimeSpan _shortest;
    private uint _times;

    /// <param name="csr">The registers of the card.</param>
    /// <param name="offset">Of the first of its registers.</param>
    /// <param name="names">Of its registers.</param>
    /// <param name="card">The card.</param>
    /// <param name="interrupts">Its interrupts.</param>
    /// <param name="cause">What is raised.</param>
    /// <param name="shortest">The shortest delay, for a guest that wants one.</param>
    public DelayedInterrupt(RegisterBlock csr, long offset, (string Quiet, string AtMost) names, PciDevice card, Interrupts interrupts,
        InterruptCauses cause, TimeSpan shortest = default)
    {
        (_interrupts, _cause, _shortest) = (interrupts, cause, shortest);
        _quietTimer = card.AddTimer(Raise);
        _atMostTimer = card.AddTimer(Raise);
        _quiet = csr.AddRegister<uint>(offset, new() { Name = names.Quiet, WriteMask = 0xFFFF, SelfClearing = Flush, OnWrite = QuietWritten });
        _atMost = csr.AddRegister<uint>(offset + 0xC, new() { Name = names.AtMost, WriteMask = 0xFFFF });
        interrupts.Add(this);
    }

    /// <param name="times">How often.</param>
    /// <param name="enough">How often it may happen before the guest is told.</param>
    public void Happened(uint times = 1, uint enough = uint.MaxValue)
    {
        _times += times;
        if (_quiet.Value == 0 || _times >= enough)
        {
            Raise();
            return;
        }
        _quietTimer.Start(TimeOf(_quiet));
        if (_atMost.Value != 0 && !_atMostTimer.IsRunning)
            _atMostTimer.Start(TimeOf(_atMost));
    }

    /// <summary>Ends the waiting, and returns what waited.</summary>
    public InterruptCauses Take()
    {
        if (!_quietTimer.IsRunning)
            return 0;
        Reset();
        return _cause;
    }

    public void Reset()
    {
        _times = 0;
        _quietTimer.Stop();
        _atMostTimer.Stop();
    }

    private TimeSpan TimeOf(Register<uint> register)
    {
        TimeSpan time = TimeSpan.FromTicks(register.Value * 1024L / TimeSpan.NanosecondsPerTick);
        return time > _shortest ? time : _shortest;
    }

    private void QuietWritten(RegisterWrite<uint> write)
    {
        if (write.Has(Flush) && _quietTimer.IsRunning)
            Raise();
    }

    private void Raise()
    {
        Reset();
        _interrupts.Raise(_cause);
    }
}
