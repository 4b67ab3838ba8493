namespace VfioUser.Protocol.Interop;

/// <summary>Identifies a file of a path, whatever its name. Valid until the file is deleted. Immutable.</summary>
/// <param name="DeviceMajor">Of the file system.</param>
/// <param name="DeviceMinor">Of the file system.</param>
/// <param name="Inode">In the file system.</param>
internal readonly record struct FileIdentity(uint DeviceMajor, uint DeviceMinor, ulong Inode);
