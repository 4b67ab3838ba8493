namespace VfioUser.Virtio;

/// <summary>What kind of thing an input event is about.</summary>
/// <remarks>Linux: EV_ of linux/input-event-codes.h.</remarks>
public enum InputEventType : ushort
{
    /// <summary>The end of a report.</summary>
    Synchronize = 0,

    /// <summary>A key or button: 1 for pressed, 0 for released.</summary>
    Key = 1,

    /// <summary>A movement.</summary>
    Relative = 2,

    /// <summary>A position.</summary>
    Absolute = 3,

    /// <summary>What fits nowhere else, such as scan codes.</summary>
    Miscellaneous = 4,

    /// <summary>A switch, such as that of a lid.</summary>
    Switch = 5,

    /// <summary>A light of the device, set by the guest.</summary>
    Led = 17,

    /// <summary>A sound of the device, set by the guest.</summary>
    Sound = 18,

    /// <summary>Repetition of keys that are held.</summary>
    Repeat = 20,
}
