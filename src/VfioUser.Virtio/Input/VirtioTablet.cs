namespace VfioUser.Virtio;

/// <summary>A pointer that says where it is, not how far it was moved: for a guest's display in a window.</summary>
/// <remarks>Any thread.</remarks>
public sealed class VirtioTablet : VirtioInput
{
    /// <summary>The highest position of both axes; the lowest is 0.</summary>
    public const int Maximum = 32767;

    /// <summary>Creates a tablet with five buttons and a wheel.</summary>
    /// <param name="name">Its name in the guest.</param>
    public VirtioTablet(string name = "VfioUser tablet")
        : base(new VirtioInputOptions
        {
            Name = name,
            Ids = new(Bus: 6, Vendor: 0x1AF4, Product: 3, Version: 1),
            Codes = new Dictionary<InputEventType, IReadOnlyList<int>>
            {
                [InputEventType.Key] = PointerCodes.Buttons,
                [InputEventType.Relative] = [PointerCodes.Wheel],
            },
            Axes = new Dictionary<int, InputAxis> { [PointerCodes.X] = new(0, Maximum), [PointerCodes.Y] = new(0, Maximum) },
        })
    {
    }

    /// <summary>The pointer is somewhere else.</summary>
    /// <param name="x">From the left, 0 to <see cref="Maximum"/>.</param>
    /// <param name="y">From the top, 0 to <see cref="Maximum"/>.</param>
    /// <returns>As <see cref="VirtioInput.Report"/>.</returns>
    public bool MoveTo(int x, int y) => Report(
        new InputEvent(InputEventType.Absolute, PointerCodes.X, Math.Clamp(x, 0, Maximum)),
        new InputEvent(InputEventType.Absolute, PointerCodes.Y, Math.Clamp(y, 0, Maximum)));

    /// <summary>A button is pressed or released.</summary>
    /// <returns>As <see cref="VirtioInput.Report"/>.</returns>
    public bool Set(MouseButton button, bool isPressed) => Report(PointerCodes.Button(button, isPressed));

    /// <summary>The wheel is turned.</summary>
    /// <param name="up">How many notches away from the user; negative for towards.</param>
    /// <returns>As <see cref="VirtioInput.Report"/>.</returns>
    public bool Scroll(int up) => Report(PointerCodes.Relative(PointerCodes.Wheel, up));
}
