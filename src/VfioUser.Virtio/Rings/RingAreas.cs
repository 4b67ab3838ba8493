namespace VfioUser.Virtio;

/// <summary>Parts of a ring's memory.</summary>
[Flags]
internal enum RingAreas : byte
{
    None = 0,
    Descriptors = 1,
    Driver = 2,
    Device = 4,

    /// <summary>An indirect table.</summary>
    Table = 8,
}
