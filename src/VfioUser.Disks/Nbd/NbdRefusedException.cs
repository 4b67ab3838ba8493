namespace VfioUser.Disks;

/// <summary>An NBD server does not give the export.</summary>
internal sealed class NbdRefusedException(string message) : IOException(message);
