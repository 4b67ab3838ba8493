namespace VfioUser.Protocol.Interop;

/// <summary>Identifies an open file, however it was opened. Valid only while the file is held open: an inode is reused.</summary>
/// <param name="Device">The file system: major and minor number.</param>
/// <param name="Inode">In the file system.</param>
internal readonly record struct FileId(ulong Device, ulong Inode);
