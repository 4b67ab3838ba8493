namespace VfioUser.Disks;

/// <summary>An NBD server said what it may not say: its connection is of no use any more.</summary>
internal sealed class NbdProtocolException(string message) : IOException(message);
