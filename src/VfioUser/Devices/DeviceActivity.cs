namespace VfioUser;

/// <summary>The state of a device: whether it runs, is quiesced, or is stopped by migration.</summary>
/// <remarks>
/// <para>Changed by the Command thread; read by any thread.</para>
/// <code>
///            | Attach   Detach    Ask        Quiesce   Refuse  Resume  Stop      StopDone  Start
/// -----------+-----------------------------------------------------------------------------------
/// Detached   | Running  .         Quiescing  Quiesced  .       .       Stopping  .         .
/// Running    | .        Detached  Quiescing  Quiesced  .       .       Stopping  .         .
/// Quiescing  | .        .         .          Quiesced  idle    .       .         .         .
/// Quiesced   | .        .         .          .         .       idle    Stopping  .         .
/// Stopping   | .        .         .          .         .       .       .         Stopped   back
/// Stopped    | .        .         .          .         .       .       .         .         back
/// </code>
/// <para>
/// idle is Running with a client and Detached without one; back is Quiesced if the device was quiesced, otherwise idle. A dot
/// is no change: clients come and go while the device is quiesced or stopped, and a quiesced device is not asked again.
/// </para>
/// </remarks>
internal sealed class DeviceActivity
{
    private volatile DeviceState _state;
    private QuiesceReason? _reason; // from Quiescing on
    private Task<bool>? _answer;
    private bool _hasClient;

    public DeviceState State => _state;

    /// <summary>Whether the device is quiesced, or stopped, and need not quiesce.</summary>
    public bool IsQuiesced => _state >= DeviceState.Quiesced;

    /// <summary>Whether migration has stopped it.</summary>
    public bool IsStopped => _state == DeviceState.Stopped;

    /// <summary>The request to quiesce whose answer has not been applied yet; null if there is none. Command thread.</summary>
    public (QuiesceReason Reason, Task<bool> Answer)? Asked => _state == DeviceState.Quiescing ? (_reason!.Value, _answer!) : null;

    /// <summary>Whether handlers of ioeventfds and doorbell pages may be called now.</summary>
    /// <param name="polled">Whether the device polls for them, which it may until it is stopped.</param>
    public bool AllowsNotifications(bool polled) => _state < (polled ? DeviceState.Stopped : DeviceState.Stopping);

    /// <summary>Whether posted work and timers may run: with or without a client, but not while the device is quiesced or stopped.</summary>
    public bool AllowsWork => _state < DeviceState.Quiescing;

    /// <summary>A client has attached.</summary>
    public void Attach()
    {
        _hasClient = true;
        Apply(DeviceTransition.Attach);
    }

    /// <summary>The client has disconnected.</summary>
    public void Detach()
    {
        _hasClient = false;
        Apply(DeviceTransition.Detach);
    }

    /// <summary>The device was requested to quiesce, and completes it later.</summary>
    public void Ask(QuiesceReason reason, Task<bool> answer)
    {
        (_reason, _answer) = (reason, answer);
        Apply(DeviceTransition.Ask);
    }

    /// <summary>The device has answered, at once or later.</summary>
    public void Answer(QuiesceReason reason, bool quiesced)
    {
        _answer = null;
        _reason = quiesced ? reason : null;
        Apply(quiesced ? DeviceTransition.Quiesce : DeviceTransition.Refuse);
    }

    /// <summary>The command that required a quiesced device is done.</summary>
    /// <returns>The reason why it was quiesced; null if the device is not quiesced, or is stopped.</returns>
    public QuiesceReason? Resume()
    {
        if (_state != DeviceState.Quiesced)
            return null;
        QuiesceReason? reason = _reason;
        Apply(DeviceTransition.Resume);
        _reason = null;
        return reason;
    }

    /// <summary>Migration starts to stop the device.</summary>
    public void Stop() => Apply(DeviceTransition.Stop);

    /// <summary>The device has handled <see cref="PciDevice.OnStopped"/>.</summary>
    public void StopDone() => Apply(DeviceTransition.StopDone);

    /// <summary>The device runs again, or failed to stop.</summary>
    public void Start() => Apply(DeviceTransition.Start);

    /// <summary>The table above.</summary>
    public static DeviceState Next(DeviceState state, DeviceTransition transition, bool hasClient, bool isQuiesced)
    {
        DeviceState idle = hasClient ? DeviceState.Running : DeviceState.Detached;
        return (state, transition) switch
        {
            (DeviceState.Detached, DeviceTransition.Attach) => DeviceState.Running,
            (DeviceState.Running, DeviceTransition.Detach) => DeviceState.Detached,
            (DeviceState.Detached or DeviceState.Running, DeviceTransition.Ask) => DeviceState.Quiescing,
            (DeviceState.Detached or DeviceState.Running or DeviceState.Quiescing, DeviceTransition.Quiesce) => DeviceState.Quiesced,
            (DeviceState.Quiescing, DeviceTransition.Refuse) or (DeviceState.Quiesced, DeviceTransition.Resume) => idle,
            (DeviceState.Detached or DeviceState.Running or DeviceState.Quiesced, DeviceTransition.Stop) => DeviceState.Stopping,
            (DeviceState.Stopping, DeviceTransition.StopDone) => DeviceState.Stopped,
            (DeviceState.Stopping or DeviceState.Stopped, DeviceTransition.Start) => isQuiesced ? DeviceState.Quiesced : idle,
            _ => state,
        };
    }

    private void Apply(DeviceTransition transition) => _state = Next(_state, transition, _hasClient, _reason is not null);
}
