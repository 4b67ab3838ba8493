using System.Runtime.InteropServices;

namespace VfioUser.Nvme;

/// <summary>The self-test that is under way, and the log of those that are over. NVMe 2.0 5.16.1.7, 8.6.</summary>
/// <remarks>Any thread. A thread of the controller's takes the test and carries it out; whoever ends it first says how it ended.</remarks>
internal sealed class SelfTests
{
    /// <summary>Results that the log has.</summary>
    public const int Results = 20;

    /// <summary>Of the log page, in bytes.</summary>
    public const int PageSize = 4 + Results * SelfTestEntry.WireSize;

    private readonly object _gate = new();
    private readonly List<SelfTestEntry> _results = new(Results); // the newest first
    private readonly DateTimeOffset _since = DateTimeOffset.UtcNow;
    private SelfTest? _current;
    private bool _isNew;
    private bool _isBusy;
    private int _percent;

    /// <summary>The results, to be saved.</summary>
    public SelfTestEntry[] Saved
    {
        get
        {
            lock (_gate)
                return [.. _results];
        }
    }

    /// <summary>Begins one.</summary>
    /// <returns>False if one is under way.</returns>
    public bool TryStart(SelfTest test)
    {
        lock (_gate)
        {
            if (_current is not null)
                return false;
            (_current, _isNew, _percent) = (test, true, 0);
            Monitor.PulseAll(_gate);
            return true;
        }
    }

    /// <summary>Ends the one that is under way, if there is one.</summary>
    public void Abort(SelfTestResult result)
    {
        lock (_gate)
        {
            if (_current is { } test)
                End(test, result);
        }
    }

    /// <summary>A reset ends a short one; an extended one goes on.</summary>
    public void ControllerReset()
    {
        lock (_gate)
        {
            if (_current is { Kind: SelfTestKind.Short } test)
                End(test, SelfTestResult.AbortedByReset);
        }
    }

    /// <summary>A namespace is being removed: its disk is to be let go.</summary>
    public void Release(Namespace space)
    {
        lock (_gate)
        {
            if (_current is { } test && test.Spaces.Contains(space))
                End(test, SelfTestResult.AbortedByRemoval);
        }
    }

    /// <summary>Ends the one that is under way, and returns when it reads no disk any more.</summary>
    public void Quiesce()
    {
        lock (_gate)
        {
            Abort(SelfTestResult.Aborted);
            while (_isBusy)
                Monitor.Wait(_gate);
        }
    }

    /// <summary>Waits for a test. The thread is then the one that carries it out, until <see cref="Done"/>.</summary>
    /// <returns>Null when the thread is to end.</returns>
    public SelfTest? Take(CancellationToken stop)
    {
        lock (_gate)
        {
            while (!_isNew || _current is null)
            {
                if (stop.IsCancellationRequested)
                    return null;
                Monitor.Wait(_gate);
            }
            _isNew = false;
            _isBusy = true;
            return _current;
        }
    }

    /// <summary>Wakes the thread that is to end.</summary>
    public void Stop()
    {
        lock (_gate)
        {
            Abort(SelfTestResult.Aborted);
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>The thread reads no disk any more.</summary>
    public void Done()
    {
        lock (_gate)
        {
            _isBusy = false;
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>How far it has come.</summary>
    public void Progress(SelfTest test, int percent)
    {
        lock (_gate)
        {
            if (_current == test)
                _percent = percent;
        }
    }

    /// <summary>It has ended, unless it has been ended already.</summary>
    /// <param name="test">The test.</param>
    /// <param name="result">How.</param>
    /// <param name="failure">Where it failed, if it did.</param>
    public void End(SelfTest test, SelfTestResult result, SelfTestEntry failure = default)
    {
        lock (_gate)
        {
            if (_current != test)
                return;
            _current = null;
            if (_results.Count == Results)
                _results.RemoveAt(Results - 1);
            _results.Insert(0, failure with
            {
                Status = (byte)((int)result | (int)test.Kind << 4),
                PowerOnHours = (ulong)(DateTimeOffset.UtcNow - _since).TotalHours,
            });
        }
        test.Cancel();
    }

    /// <summary>Writes the log page.</summary>
    public void Write(Span<byte> page)
    {
        lock (_gate)
        {
            page[0] = (byte)(_current?.Kind ?? SelfTestKind.None);
            page[1] = (byte)(_current is null ? 0 : _percent);
            for (int i = 0; i < Results; i++)
            {
                SelfTestEntry entry = i < _results.Count ? _results[i] : new SelfTestEntry { Status = (byte)SelfTestResult.Unused };
                MemoryMarshal.Write(page[(4 + i * SelfTestEntry.WireSize)..], in entry);
            }
        }
    }

    /// <summary>Goes on with the results of another controller.</summary>
    public void Restore(ReadOnlySpan<SelfTestEntry> results)
    {
        lock (_gate)
        {
            _results.Clear();
            _results.AddRange(results);
        }
    }
}
