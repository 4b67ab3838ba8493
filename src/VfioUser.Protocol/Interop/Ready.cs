namespace VfioUser.Protocol.Interop;

/// <summary>Events to wait for on a descriptor, with Linux's values. A hang-up is always reported.</summary>
[Flags]
internal enum Ready : uint
{
    None = 0,
    Readable = 0x1,
    Writable = 0x4,
}
