namespace VfioUser.Protocol;

/// <summary>Error numbers of Linux, as the error field of a reply carries them.</summary>
/// <remarks>Numbers of x86-64 and AArch64 Linux. Spec: Header.</remarks>
public enum Errno
{
    /// <summary>No error; also a reply with the Error bit whose sender gave no reason.</summary>
    None = 0,

    /// <summary>Operation not permitted.</summary>
    EPERM = 1,

    /// <summary>No such file, or mapping, or feature.</summary>
    ENOENT = 2,

    /// <summary>Interrupted system call.</summary>
    EINTR = 4,

    /// <summary>I/O error.</summary>
    EIO = 5,

    /// <summary>No such device or address.</summary>
    ENXIO = 6,

    /// <summary>Argument list too long.</summary>
    E2BIG = 7,

    /// <summary>Bad file descriptor.</summary>
    EBADF = 9,

    /// <summary>Try again; also EWOULDBLOCK.</summary>
    EAGAIN = 11,

    /// <summary>Out of memory.</summary>
    ENOMEM = 12,

    /// <summary>Permission denied.</summary>
    EACCES = 13,

    /// <summary>Bad address.</summary>
    EFAULT = 14,

    /// <summary>Device or resource busy.</summary>
    EBUSY = 16,

    /// <summary>File exists; the error of a DMA_MAP that overlaps a mapped region.</summary>
    EEXIST = 17,

    /// <summary>No such device.</summary>
    ENODEV = 19,

    /// <summary>Invalid argument.</summary>
    EINVAL = 22,

    /// <summary>Too many open files.</summary>
    EMFILE = 24,

    /// <summary>No space left.</summary>
    ENOSPC = 28,

    /// <summary>Broken pipe.</summary>
    EPIPE = 32,

    /// <summary>Result out of range.</summary>
    ERANGE = 34,

    /// <summary>Not implemented.</summary>
    ENOSYS = 38,

    /// <summary>Protocol error.</summary>
    EPROTO = 71,

    /// <summary>Bad message.</summary>
    EBADMSG = 74,

    /// <summary>Value too large.</summary>
    EOVERFLOW = 75,

    /// <summary>Message too long.</summary>
    EMSGSIZE = 90,

    /// <summary>Operation not supported; also ENOTSUP.</summary>
    EOPNOTSUPP = 95,

    /// <summary>Address in use.</summary>
    EADDRINUSE = 98,

    /// <summary>Connection reset by peer.</summary>
    ECONNRESET = 104,

    /// <summary>Not connected.</summary>
    ENOTCONN = 107,

    /// <summary>Timed out.</summary>
    ETIMEDOUT = 110,

    /// <summary>Connection refused.</summary>
    ECONNREFUSED = 111,

    /// <summary>Operation cancelled.</summary>
    ECANCELED = 125,
}
