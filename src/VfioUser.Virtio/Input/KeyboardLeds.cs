namespace VfioUser.Virtio;

/// <summary>Lights of a keyboard.</summary>
/// <remarks>Linux: LED_ of linux/input-event-codes.h, a bit each.</remarks>
[Flags]
public enum KeyboardLeds
{
    /// <summary>None is on.</summary>
    None = 0,

    /// <summary>Num lock.</summary>
    NumLock = 1 << 0,

    /// <summary>Caps lock.</summary>
    CapsLock = 1 << 1,

    /// <summary>Scroll lock.</summary>
    ScrollLock = 1 << 2,
}
