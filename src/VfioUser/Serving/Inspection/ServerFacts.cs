namespace VfioUser;

/// <summary>A server and what it serves. Immutable.</summary>
/// <param name="Format">Version of this format.</param>
/// <param name="Name">Name of the device, as in metrics.</param>
/// <param name="Address">Where clients connect.</param>
/// <param name="ProcessId">Of the server.</param>
/// <param name="Started">When the server was made.</param>
/// <param name="State">Of the serving; "Idle" if no device is served.</param>
/// <param name="Sessions">Number of sessions so far.</param>
/// <param name="Device">The device; null if none is served.</param>
/// <param name="Client">The client; null without one.</param>
/// <param name="LastDisconnect">Why the client before has gone; null before the first.</param>
/// <param name="LastError">The last failure of a session or of the server; null if there was none.</param>
internal sealed record ServerFacts(int Format, string Name, string Address, int ProcessId, DateTimeOffset Started, string State, long Sessions,
    DeviceFacts? Device, ClientFacts? Client, string? LastDisconnect, string? LastError);

/// <summary>A device. Immutable.</summary>
/// <param name="Type">Its class's name.</param>
/// <param name="Vendor">Vendor ID.</param>
/// <param name="Device">Device ID.</param>
/// <param name="Class">Class code.</param>
/// <param name="Activity">Whether it runs, is quiesced, or stopped.</param>
/// <param name="BusMaster">Whether it may access guest memory.</param>
/// <param name="Registers">Number of its registers.</param>
/// <param name="DmaRegions">Number of DMA regions that are mapped.</param>
/// <param name="DmaBytes">Their bytes together.</param>
/// <param name="UnmodelledAccesses">How often guests accessed what it does not model.</param>
internal sealed record DeviceFacts(string Type, int Vendor, int Device, int Class, string Activity, bool BusMaster, int Registers, int DmaRegions,
    ulong DmaBytes, long UnmodelledAccesses);

/// <summary>A client. Immutable.</summary>
/// <param name="ProcessId">Its process, 0 if that is not visible to the server.</param>
/// <param name="UserId">Its user.</param>
/// <param name="GroupId">Its group.</param>
/// <param name="Since">When negotiation succeeded; null before.</param>
/// <param name="Version">The negotiated version; null before.</param>
/// <param name="TwinSocket">Whether there is a twin socket; null before.</param>
/// <param name="Proposed">The capabilities that it proposed, as JSON; null before.</param>
internal sealed record ClientFacts(int ProcessId, uint UserId, uint GroupId, DateTimeOffset? Since, string? Version, bool? TwinSocket, string? Proposed);
