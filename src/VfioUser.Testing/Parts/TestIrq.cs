using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser.Testing;

/// <summary>Counts the interrupts of one vector of a <see cref="TestDevice"/>, as its guest receives them.</summary>
/// <remarks>Any thread. A vector is delivered only while something counts it.</remarks>
public sealed class TestIrq : IDisposable
{
    private readonly Irq _irq;
    private readonly EventFd _eventFd = new();
    private readonly Lock _lock = new();
    private int _count;
    private int _taken;

    /// <summary>Enables a vector, and counts it from now on.</summary>
    /// <param name="irq">Of a device that no server serves.</param>
    /// <exception cref="InvalidOperationException">A client receives it.</exception>
    public TestIrq(Irq irq)
    {
        ArgumentNullException.ThrowIfNull(irq);
        if (irq.Device is { IsServed: true })
            throw new InvalidOperationException("The device is being served, and its client receives the interrupt.");
        _irq = irq;
        irq.SetTrigger(new EventFd(FileCalls.Duplicate(_eventFd.Handle)));
    }

    /// <summary>Number of interrupts.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
                return _count += (int)_eventFd.Take();
        }
    }

    /// <summary>Takes the received interrupts that were not taken yet.</summary>
    /// <returns>Number of interrupts since it was last taken.</returns>
    public int Take()
    {
        lock (_lock)
        {
            int fresh = Count - _taken;
            _taken = _count;
            return fresh;
        }
    }

    /// <summary>Masks it: a trigger is delivered when it is unmasked.</summary>
    public void Mask() => _irq.Mask();

    /// <summary>Unmasks it. For INTx, which is automasked when it is delivered, this ends the handling of an interrupt.</summary>
    public void Unmask() => _irq.Unmask();

    /// <summary>Disables the vector.</summary>
    public void Dispose()
    {
        _irq.SetTrigger(null);
        _eventFd.Dispose();
    }
}
