namespace VfioUser.Protocol.Interop;

/// <summary>Which file of the system it is, however it was opened. Good only while something holds the file: then its number can be another's.</summary>
/// <param name="Device">What it lies on.</param>
/// <param name="Inode">Its number there.</param>
internal readonly record struct FileId(ulong Device, ulong Inode);
