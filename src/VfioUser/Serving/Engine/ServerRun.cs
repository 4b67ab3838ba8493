using VfioUser.Protocol;

namespace VfioUser;

/// <summary>One run of a server, from its start until it stops. Immutable.</summary>
/// <param name="Device">The device that is served.</param>
/// <param name="Options">The server's.</param>
/// <param name="Log">The server's.</param>
/// <param name="Status">Told how it goes.</param>
/// <param name="Turn">Of the thread that serves, where that may wait: for the client, and for the device. Null where it may not.</param>
/// <param name="Stopping">Ends it.</param>
internal sealed record ServerRun(
    PciDevice Device, VfioUserServerOptions Options, ServerLog Log, ServingStatus Status, CommandTurn? Turn, CancellationToken Stopping)
{
    /// <summary>Whether the thread that serves may wait.</summary>
    public bool MayBlock => Turn is not null;

    /// <summary>A session ends because the server failed; the run continues.</summary>
    public void SessionFailed(Exception failure)
    {
        Log.SessionFailed(failure);
        Status.WentWrong(failure);
    }

    /// <summary>Tells of an exception of the device. Any thread.</summary>
    /// <param name="where">Which code it was, if what was caught does not say it better.</param>
    /// <param name="command">What is handled; null for what happened without a command.</param>
    /// <param name="caught">What was caught.</param>
    public void DeviceThrew(DeviceCode where, Command? command, Exception caught)
    {
        Exception exception = DeviceCodeException.Unwrap(caught, where, out DeviceCode code);
        Log.DeviceThrew(code, exception);
        try
        {
            Options.DeviceException?.Invoke(new DeviceExceptionContext(Device, code.Callback, exception)
            {
                Command = command,
                Region = code.Region,
                Offset = code.Offset,
                Register = code.Register,
                Worker = code.Worker,
            });
        }
        catch (Exception e)
        {
            Log.HookThrew(e);
        }
    }
}
