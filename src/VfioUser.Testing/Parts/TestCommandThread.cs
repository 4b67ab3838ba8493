using System.Runtime.ExceptionServices;

namespace VfioUser.Testing;

/// <summary>The thread of a test as a device's Command thread.</summary>
/// <param name="device">The device.</param>
/// <param name="time">Its clock.</param>
internal sealed class TestCommandThread(PciDevice device, TimeProvider time) : ICommandThread
{
    private ExceptionDispatchInfo? _first;

    public TimeProvider Time => time;

    // the test looks after each call
    public void Wake()
    {
    }

    public void WakeAt(long due)
    {
    }

    public void Reset()
    {
        TaskCompletionSource<bool>? requested = device.CommandWork.Resets.Take();
        bool isReset = false;
        try
        {
            device.Reset(ResetReason.DeviceRequested);
            isReset = true;
        }
        catch (Exception e)
        {
            Threw(DeviceCallback.Reset, e);
        }
        requested?.TrySetResult(isReset);
    }

    public void Threw(DeviceCode code, Exception exception) => _first ??= ExceptionDispatchInfo.Capture(exception);

    /// <summary>Throws the first exception of the device since the last call.</summary>
    public void Rethrow()
    {
        ExceptionDispatchInfo? first = _first;
        _first = null;
        first?.Throw();
    }
}
