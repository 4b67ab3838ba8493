using System.Runtime.InteropServices;

namespace VfioUser;

/// <summary>Carries out a reset that the device itself has requested: quiesces, resets and resumes it, between two commands.</summary>
/// <remarks>
/// Command thread. It belongs to the run and not to a session, since no client has to be there. If the device does not answer at once,
/// a thread that may block waits here, with the turn; otherwise the reset is pending, and the engine takes no step for the client. A
/// client that disconnects meanwhile is noticed afterwards.
/// </remarks>
internal sealed class RequestedReset : IDisposable
{
    private static readonly TimeSpan WarningInterval = TimeSpan.FromSeconds(1);

    private readonly ServerRun _run;
    private readonly PciDevice _device;
    private readonly CancellationTokenSource _stopped = new();
    private readonly CancellationTokenRegistration _stopping;
    private QuiesceRequest? _pending;

    public RequestedReset(ServerRun run)
    {
        (_run, _device) = (run, run.Device);
        _stopping = run.Stopping.UnsafeRegister(static self => ((RequestedReset)self!).Cancel(), this);
    }

    /// <summary>Whether the device has not answered yet: commands of the client must wait.</summary>
    public bool IsPending => _pending is not null;

    /// <summary>Readable when the device has answered; null if nothing is pending, or the process had no free descriptor.</summary>
    public SafeHandle? Descriptor => _pending?.Descriptor;

    /// <summary>Asks the device to quiesce, and resets it if it is quiesced at once. None may be pending.</summary>
    public void Begin()
    {
        ValueTask<bool> answer;
        try
        {
            answer = _device.QuiesceAsync(QuiesceReason.Reset, _stopped.Token);
        }
        catch (Exception e)
        {
            Failed(e);
            return;
        }
        Task<bool> task = answer.AsTask();
        if (task.IsCompleted)
        {
            Answered(task);
            return;
        }
        _device.Activity.Ask(QuiesceReason.Reset, task);
        _pending = new QuiesceRequest(task, QuiesceReason.Reset, _run.Stopping);
        if (_run.MayBlock)
            Await();
    }

    /// <summary>Resets the device if the answer that was pending is there.</summary>
    public void Continue()
    {
        if (_pending is not { IsAnswered: true } request)
            return;
        _pending = null;
        request.Dispose();
        Answered(request.Task);
    }

    /// <summary>Waits for a pending answer. If the server stops, for one more second: then nothing is pending.</summary>
    public void Await()
    {
        while (_pending is { IsAnswered: false } request)
        {
            bool stops = _run.Stopping.IsCancellationRequested;
            if (request.Wait(null, WarningInterval))
                continue;
            if (!stops)
            {
                _run.Log.QuiesceWaits(QuiesceReason.Reset);
            }
            else if (!request.IsAnswered)
            {
                _run.Log.QuiesceAbandoned(QuiesceReason.Reset);
                _pending = null;
                request.Dispose();
            }
        }
        Continue();
    }

    public void Dispose()
    {
        _stopping.Dispose();
        // a cancelled source holds no resources, and its callbacks may still be running
        if (!_stopped.IsCancellationRequested)
            _stopped.Dispose();
    }

    private void Answered(Task<bool> answer)
    {
        bool quiesced;
        try
        {
            quiesced = answer.GetAwaiter().GetResult();
        }
        catch (Exception e)
        {
            Failed(e);
            return;
        }
        _device.Activity.Answer(QuiesceReason.Reset, quiesced);
        if (quiesced)
            Reset();
        else
            Refused();
    }

    private void Failed(Exception exception)
    {
        _device.Activity.Answer(QuiesceReason.Reset, quiesced: false);
        // a cancelled device may answer with this exception
        if (exception is not OperationCanceledException || !_stopped.IsCancellationRequested)
            _run.DeviceThrew(DeviceCallback.Quiesce, command: null, exception);
        Refused();
    }

    // of a device that was cancelled, the request stays for the next run
    private void Refused()
    {
        if (!_stopped.IsCancellationRequested)
            _device.CommandWork.Resets.Take()?.TrySetResult(false);
    }

    private void Reset()
    {
        // taken here and not by the device's reset, so that who waits finds a device that runs again
        TaskCompletionSource<bool>? requested = _device.CommandWork.Resets.Take();
        bool isReset = Guarded(DeviceCallback.Reset, static device => device.Reset(ResetReason.DeviceRequested));
        Guarded(DeviceCallback.Resume, static device => device.Resume());
        _run.Log.ResetOnRequest();
        requested?.TrySetResult(isReset);
    }

    private bool Guarded(DeviceCallback callback, Action<PciDevice> call)
    {
        try
        {
            call(_device);
            return true;
        }
        catch (Exception e)
        {
            _run.DeviceThrew(callback, command: null, e);
            return false;
        }
    }

    // Callbacks of the device's cancellation token must not run on the thread that stops the server.
    private void Cancel() => _ = _stopped.CancelAsync().ContinueWith(
        (failed, _) => _run.DeviceThrew(DeviceCallback.Quiesce, null, failed.Exception!.GetBaseException()), null,
        CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
}
