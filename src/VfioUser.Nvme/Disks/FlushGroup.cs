namespace VfioUser.Nvme;

/// <summary>Flushes of a disk: those that come while one runs share the next one, and one that fails is the last.</summary>
/// <remarks>
/// Any thread. The kernel tells of lost writes once, to one of its callers, and then takes their pages for written: a later
/// flush that succeeds says nothing about them, and neither does one at the same time.
/// </remarks>
internal sealed class FlushGroup(Action writeBack)
{
    private readonly object _gate = new();
    private long _begun;
    private long _ended;
    private Exception? _failure;

    /// <summary>Returns when a flush has succeeded that began after the call.</summary>
    /// <exception cref="FlushFailedException">It failed, or an earlier one did.</exception>
    public void Flush()
    {
        long covering;
        lock (_gate)
            covering = _begun + 1;
        while (MustRun(covering))
            Run();
    }

    // Waits until the flush of this number has ended, or it is for the caller to run it.
    private bool MustRun(long number)
    {
        lock (_gate)
        {
            while (_failure is null && _ended < number)
            {
                if (_begun == _ended)
                {
                    _begun++;
                    return true;
                }
                Monitor.Wait(_gate);
            }
            return _failure is null ? false
                : throw new FlushFailedException($"A flush failed, and completed writes are lost: {_failure.Message}", _failure);
        }
    }

    private void Run()
    {
        Exception? failure = null;
        try
        {
            writeBack();
        }
        catch (Exception e)
        {
            failure = e; // thrown to all who wait, this one included
        }
        lock (_gate)
        {
            _failure ??= failure;
            _ended = _begun;
            Monitor.PulseAll(_gate);
        }
    }
}
