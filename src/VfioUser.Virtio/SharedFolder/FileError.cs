namespace VfioUser.Virtio;

/// <summary>Error numbers of Linux, those that this server chooses itself. Others are the system's.</summary>
internal enum FileError
{
    None = 0,
    EPERM = 1,
    ENOENT = 2,
    EIO = 5,
    EBADF = 9,
    EACCES = 13,
    EEXIST = 17,
    EINVAL = 22,
    EMFILE = 24,
    EROFS = 30,
    EOPNOTSUPP = 95,
}
