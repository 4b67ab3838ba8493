using VfioUser.Client;
using VfioUser.Protocol;

namespace VfioUser.Testing;

/// <summary>A fault that is injected into some of the device's DMA messages, until it is disposed or the guest disconnects.</summary>
/// <remarks>Any thread.</remarks>
public sealed class GuestDmaFault : IDisposable
{
    private readonly object _gate = new();
    private readonly GuestFaults _faults;
    private readonly DmaDirection _direction;
    private readonly Errno _answer;
    private readonly bool _holds;
    private readonly TimeSpan _timeout;
    private int _skip;
    private int _left;
    private int _hits;
    private bool _open;
    private bool _ended;

    internal GuestDmaFault(GuestFaults faults, DmaDirection direction, int skip, int count, Errno answer, bool holds, TimeSpan timeout)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(skip);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(count);
        (_faults, _direction, _skip, _left, _answer, _holds, _timeout) = (faults, direction, skip, count, answer, holds, timeout);
    }

    /// <summary>Number of messages that it was injected into.</summary>
    public int Hits
    {
        get
        {
            lock (_gate)
                return _hits;
        }
    }

    /// <summary>Waits until it has hit this many messages; held messages stay held until <see cref="Release"/>.</summary>
    /// <exception cref="TestGuestException">The device did not send so many in time.</exception>
    public void WaitForHits(int count = 1)
    {
        long end = Environment.TickCount64 + (long)_timeout.TotalMilliseconds;
        lock (_gate)
        {
            while (_hits < count)
            {
                long left = end - Environment.TickCount64;
                if (left <= 0)
                    throw new TestGuestException($"{count} DMA messages ({_direction}) were waited for, and {_hits} came within {_timeout}.");
                Monitor.Wait(_gate, (int)left);
            }
        }
    }

    /// <summary>Releases held messages, and does not apply to later ones.</summary>
    public void Release()
    {
        lock (_gate)
        {
            _open = true;
            _left = 0;
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Ends the fault, as <see cref="Release"/> does.</summary>
    public void Dispose()
    {
        Release();
        _faults.Remove(this);
    }

    /// <summary>Whether it applies to this message, which then counts as a hit.</summary>
    internal bool Takes(DmaDirection direction)
    {
        lock (_gate)
        {
            if (_left == 0 || (_direction != DmaDirection.Any && _direction != direction))
                return false;
            if (_skip > 0)
            {
                _skip--;
                return false;
            }
            _left--;
            _hits++;
            Monitor.PulseAll(_gate);
            return true;
        }
    }

    internal Errno Act()
    {
        if (!_holds)
            return _answer;
        lock (_gate)
        {
            while (!_open)
                Monitor.Wait(_gate);
            return _ended ? DmaResponder.NoAnswer : Errno.None;
        }
    }

    /// <summary>The connection has ended: held messages get no reply.</summary>
    internal void End()
    {
        lock (_gate)
            _ended = true;
        Release();
    }
}
