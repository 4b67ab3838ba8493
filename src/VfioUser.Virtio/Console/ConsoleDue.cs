namespace VfioUser.Virtio;

/// <summary>What the driver has to be told of a port, in the order of the bits.</summary>
[Flags]
internal enum ConsoleDue
{
    None = 0,
    Add = 1 << 0,
    Console = 1 << 1,
    Name = 1 << 2,
    Open = 1 << 3,
    Resize = 1 << 4,
}
