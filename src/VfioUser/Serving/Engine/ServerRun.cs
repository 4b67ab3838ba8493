namespace VfioUser;

/// <summary>One run of a server: what it serves, how, and until when. Immutable.</summary>
/// <param name="Device">Belongs to this run.</param>
/// <param name="Options">The server's.</param>
/// <param name="Log">The server's.</param>
/// <param name="Status">Told how it goes.</param>
/// <param name="MayBlock">Whether the thread that serves may wait: for the client, and for the device.</param>
/// <param name="Stopping">Ends it.</param>
internal sealed record ServerRun(
    PciDevice Device, VfioUserServerOptions Options, ServerLog Log, ServingStatus Status, bool MayBlock, CancellationToken Stopping)
{
    /// <summary>A session ends because of a failure of this side; the run goes on.</summary>
    public void SessionFailed(Exception failure)
    {
        Log.SessionFailed(failure);
        Status.WentWrong(failure);
    }
}
