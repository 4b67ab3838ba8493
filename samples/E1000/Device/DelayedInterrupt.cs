using VfioUser;

namespace E1000.Device;

/// <summary>The registers of a cause that waits for more to happen: RDTR and RADV for receiving, TIDV and TADV for transmitting. Command
/// thread.</summary>
internal sealed class DelayedInterrupt
{
    private const uint Flush = 1u << 31;

    private readonly Register<uint> _quiet, _atMost; // 1.024 us
    private readonly InterruptCoalescer _coalescer;
    private readonly InterruptCauses _cause;
    private readonly TimeSpan _shortest;

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
        (_cause, _shortest) = (cause, shortest);
        _coalescer = new InterruptCoalescer(card, () => interrupts.Raise(cause));
        _quiet = csr.AddRegister<uint>(offset, new() { Name = names.Quiet, WriteMask = 0xFFFF, SelfClearing = Flush, OnWrite = QuietWritten });
        _atMost = csr.AddRegister<uint>(offset + 0xC, new() { Name = names.AtMost, WriteMask = 0xFFFF });
        interrupts.Add(this);
    }

    /// <param name="times">How often.</param>
    /// <param name="enough">How often it may happen before the guest is told; 0 for any.</param>
    public void Happened(int times = 1, int enough = 0) =>
        _coalescer.Add(times, new() { Delay = TimeOf(_quiet), MaxDelay = TimeOf(_atMost), MaxEvents = enough });

    /// <summary>Ends the waiting, and returns what waited.</summary>
    public InterruptCauses Take() => _coalescer.TakePending() ? _cause : 0;

    public void Reset() => _coalescer.Reset();

    private TimeSpan TimeOf(Register<uint> register)
    {
        TimeSpan time = TimeSpan.FromTicks(register.Value * 1024L / TimeSpan.NanosecondsPerTick);
        return time == TimeSpan.Zero || time > _shortest ? time : _shortest;
    }

    private void QuietWritten(RegisterWrite<uint> write)
    {
        if (write.Has(Flush))
            _coalescer.Flush();
    }
}
