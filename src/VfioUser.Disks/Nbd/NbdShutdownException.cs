namespace VfioUser.Disks;

/// <summary>An NBD server says that it is about to end. Its connection is given up when all has an answer.</summary>
internal sealed class NbdShutdownException() : IOException("The NBD server is shutting down.");
