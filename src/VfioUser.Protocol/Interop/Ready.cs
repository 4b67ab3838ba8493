namespace VfioUser.Protocol.Interop;

/// <summary>What a descriptor is waited for. That it was hung up is told in any case. Linux's values.</summary>
[Flags]
internal enum Ready : uint
{
    None = 0,
    Readable = 0x1,
    Writable = 0x4,
}
