namespace VfioUser.Virtio;

/// <summary>A button of a mouse or tablet.</summary>
/// <remarks>Linux: BTN_ of linux/input-event-codes.h.</remarks>
public enum MouseButton
{
    /// <summary>The left one.</summary>
    Left = 0x110,

    /// <summary>The right one.</summary>
    Right = 0x111,

    /// <summary>The middle one.</summary>
    Middle = 0x112,

    /// <summary>One at the side, usually for "back".</summary>
    Side = 0x113,

    /// <summary>One at the side, usually for "forward".</summary>
    Extra = 0x114,
}
