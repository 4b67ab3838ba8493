namespace VfioUser;

/// <summary>One run of a server: what it serves, how, and until when. Immutable.</summary>
/// <param name="Device">Belongs to this run.</param>
/// <param name="Options">The server's.</param>
/// <param name="Log">The server's.</param>
/// <param name="Status">Told how it goes.</param>
/// <param name="Stopping">Ends it.</param>
internal sealed record ServerRun(
    PciDevice Device, VfioUserServerOptions Options, ServerLog Log, ServingStatus Status, CancellationToken Stopping);
