namespace VfioUser.Protocol.Interop;

/// <summary>Which file it is, whatever its name is. Good for as long as the file is there. Immutable.</summary>
/// <param name="DeviceMajor">Of the file system.</param>
/// <param name="DeviceMinor">Of the file system.</param>
/// <param name="Inode">In the file system.</param>
internal readonly record struct FileIdentity(uint DeviceMajor, uint DeviceMinor, ulong Inode);
