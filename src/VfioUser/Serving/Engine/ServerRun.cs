using VfioUser.Protocol;

namespace VfioUser;

/// <summary>One run of a server, from its start until it stops. Immutable.</summary>
/// <param name="Device">The device that is served.</param>
/// <param name="Options">The server's.</param>
/// <param name="Log">The server's.</param>
/// <param name="Status">Updated during the run.</param>
/// <param name="Turn">Of the thread that serves, if that may wait: for the client, and for the device. Null if it may not.</param>
/// <param name="Stopping">Cancelled to end the run.</param>
internal sealed record ServerRun(
    PciDevice Device, VfioUserServerOptions Options, ServerLog Log, ServingStatus Status, CommandTurn? Turn, CancellationToken Stopping)
{
    /// <summary>Whether the thread that serves may wait.</summary>
    public bool MayBlock => Turn is not null;

    /// <summary>Of each socket to the client.</summary>
    public MessageSocketOptions SocketOptions { get; } = new() { Spin = Options.Spin, IsSpinFixed = Options.IsSpinFixed, Trace = Log };

    /// <summary>Of clients that have gone. Command thread.</summary>
    public SpareBuffers Spares { get; } = new();

    /// <summary>A session ends because the server failed; the run continues.</summary>
    public void SessionFailed(Exception failure)
    {
        Log.SessionFailed(failure);
        Status.SessionFailed(failure);
    }

    /// <summary>Reports an exception of the device: in the log, and to <see cref="VfioUserServerOptions.OnDeviceException"/>. Any thread.</summary>
    /// <param name="where">The code that threw, unless the exception is a <see cref="DeviceCodeException"/>, which has it.</param>
    /// <param name="command">The command being handled; null if there is none.</param>
    /// <param name="caught">The exception, or the one that wraps it.</param>
    public void DeviceThrew(DeviceCode where, Command? command, Exception caught)
    {
        Exception exception = DeviceCodeException.Unwrap(caught, where, out DeviceCode code);
        Log.DeviceThrew(code, exception);
        try
        {
            Options.OnDeviceException?.Invoke(new DeviceExceptionContext(Device, code.Callback, exception)
            {
                Command = command,
                Region = code.Region,
                Offset = code.Offset,
                Register = code.Register,
                Worker = code.Worker,
                Value = code.Value,
            });
        }
        catch (Exception e)
        {
            Log.HookThrew(e);
        }
    }
}
