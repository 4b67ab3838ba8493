namespace VfioUser.Virtio;

/// <summary>Messages of 9P2000.L, each the number of the request; the answer has the next one.</summary>
/// <remarks>As Linux's include/net/9p/9p.h numbers them.</remarks>
internal enum NinePType : byte
{
    Error = 6, // only its answer is sent
    StatFs = 8,
    Open = 12,
    Create = 14,
    Symlink = 16,
    Mknod = 18,
    Rename = 20,
    ReadLink = 22,
    GetAttr = 24,
    SetAttr = 26,
    XattrWalk = 30,
    XattrCreate = 32,
    ReadDir = 40,
    Fsync = 50,
    Lock = 52,
    GetLock = 54,
    Link = 70,
    Mkdir = 72,
    RenameAt = 74,
    UnlinkAt = 76,
    Version = 100,
    Auth = 102,
    Attach = 104,
    Flush = 108,
    Walk = 110,
    Read = 116,
    Write = 118,
    Clunk = 120,
    Remove = 122,
}
