namespace E1000.Device;

/// <summary>The command byte of a context descriptor, where it is not as in others.</summary>
[Flags]
internal enum ContextCommand : byte
{
    Tcp = 1 << 0,
    Ipv4 = 1 << 1,
    Segment = 1 << 2,
}
