namespace VfioUser.Virtio;

/// <summary>Axes of mice and tablets.</summary>
/// <remarks>Linux: REL_ and ABS_ of linux/input-event-codes.h.</remarks>
internal static class PointerCodes
{
    public const ushort X = 0;
    public const ushort Y = 1;
    public const ushort HorizontalWheel = 6;
    public const ushort Wheel = 8;

    public static IReadOnlyList<int> Buttons => [.. Enum.GetValues<MouseButton>().Select(static button => (int)button)];

    public static InputEvent Button(MouseButton button, bool isPressed) => new(InputEventType.Key, (ushort)button, isPressed ? 1 : 0);

    public static InputEvent Relative(ushort axis, int by) => new(InputEventType.Relative, axis, by);
}
