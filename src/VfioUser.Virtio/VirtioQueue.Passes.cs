namespace VfioUser.Virtio;

/// <content>Passes: buffers are taken, served, given back, and the driver is told, by one thread at a time.</content>
public sealed partial class VirtioQueue
{
    /// <summary>Command thread: the driver has notified the device of buffers.</summary>
    internal void Notified()
    {
        if (!ServesNotifications || !_worker.IsAsleep || _worker.MayPoll() || !TryServeFew())
            Wake();
    }

    /// <summary>Worker: serves what there is.</summary>
    internal bool Poll()
    {
        if (!_use.TryEnter())
            return false;
        try
        {
            lock (_pass)
                return ServedRing is { } ring && Pass(ring, MaxChainsPerPass);
        }
        finally
        {
            Leave();
        }
    }

    /// <summary>Worker, before it sleeps.</summary>
    /// <returns>Whether there is something to do already.</returns>
    internal bool Arm()
    {
        if (!_use.TryEnter())
            return false;
        try
        {
            lock (_pass)
                return ServedRing is { } ring && Arm(ring);
        }
        finally
        {
            Leave();
        }
    }

    // Command thread: it waits for no other thread, and not for the client.
    private bool TryServeFew()
    {
        if (!_worker.TryEnter())
            return false;
        try
        {
            if (!_use.TryEnter())
                return false;
            try
            {
                return _pass.TryEnter() && ServeFew();
            }
            finally
            {
                Leave();
            }
        }
        finally
        {
            _worker.Exit();
        }
    }

    // in a pass, which it ends
    private bool ServeFew()
    {
        try
        {
            if (ServedRing is not { IsMapped: true } ring)
                return false;
            if (ring.HasMoreThan(FewChains))
            {
                Report(ring);
                return false;
            }
            ring.InPlaceOnly = true;
            Pass(ring, FewChains);
            ring.InPlaceOnly = false;
            // one that was put back is for the worker, and so is one that comes before the driver is asked to notify
            _isStarved = true;
            return ServedRing is not null && !ring.HasMoreThan(0) && !Arm(ring);
        }
        finally
        {
            _pass.Exit();
        }
    }

    private Ring? ServedRing => _ring is { Fault: null, IsPaused: false } ring && !_hasThrown ? ring : null;

    private bool Arm(Ring ring)
    {
        if (!_completed.IsEmpty || Volatile.Read(ref _isWoken) != 0)
            return true;
        // a handler that was content has left the rest on purpose, and needs no notification of more
        if (_poll is not null && !_isStarved)
            return false;
        _wasArmed = true;
        bool more = ring.Arm();
        Report(ring);
        return more && _isStarved;
    }

    private void Begin(Ring ring)
    {
        if (_wasArmed)
        {
            _wasArmed = false;
            ring.Disarm();
        }
        (_taken, _isInPass, _isStarved) = (0, true, false);
        _takenInPass.Clear();
    }

    private void Tell(Ring ring)
    {
        PostCompleted(ring);
        if (ring.TakeInterrupt())
            _device.InterruptQueue(Index);
        Report(ring);
    }

    // at most so many buffers of a queue of requests
    private bool Pass(Ring ring, int most)
    {
        Begin(ring);
        _passBegan = Environment.TickCount64;
        Interlocked.Exchange(ref _isWoken, 0);
        bool worked = PostCompleted(ring);
        try
        {
            if (_serve is not null)
                worked |= ServeAll(ring, most);
            else
                worked |= _poll!(this);
        }
        catch (Exception e)
        {
            FailPass(e);
        }
        finally
        {
            _isInPass = false;
        }
        Tell(ring);
        return worked && ServedRing is not null;
    }

    private bool ServeAll(Ring ring, int most)
    {
        bool worked = false;
        while (_taken < most && TryTake(out VirtioChain? chain))
        {
            if (ring.InPlaceOnly && !IsQuick(chain))
            {
                PutBack(chain);
                break;
            }
            worked = true;
            _serve!(chain);
            // a handler that takes long does not hold up what came before
            if (Environment.TickCount64 == _passBegan)
                continue;
            _passBegan = Environment.TickCount64;
            if (PostCompleted(ring) && ring.TakeInterrupt())
                _device.InterruptQueue(Index);
        }
        return worked;
    }

    // what is not mapped may be a message to a client that waits
    private static bool IsQuick(VirtioChain chain) => chain.Readable.Length + chain.Writable.Length <= MaxQuickLength
        && chain.Readable.IsMapped(writable: false) && chain.Writable.IsMapped(writable: true);

    private bool PostCompleted(Ring ring)
    {
        bool posted = false;
        while (_completed.TryTake(ring.IsInOrder, out VirtioChain? chain))
        {
            if (!ring.TryReturn(chain))
            {
                _completed.Keep(chain);
                break;
            }
            _completed.Returned();
            Recycle(chain);
            posted = true;
        }
        ring.Publish();
        return posted;
    }
}
