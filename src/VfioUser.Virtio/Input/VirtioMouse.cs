namespace VfioUser.Virtio;

/// <summary>A mouse for a guest.</summary>
/// <remarks>Any thread.</remarks>
public sealed class VirtioMouse : VirtioInput
{
    /// <summary>Creates a mouse with five buttons and a wheel for each direction.</summary>
    /// <param name="name">Its name in the guest.</param>
    public VirtioMouse(string name = "VfioUser mouse")
        : base(new VirtioInputOptions
        {
            Name = name,
            Ids = new(Bus: 6, Vendor: 0x1AF4, Product: 2, Version: 1),
            Codes = new Dictionary<InputEventType, IReadOnlyList<int>>
            {
                [InputEventType.Key] = PointerCodes.Buttons,
                [InputEventType.Relative] = [PointerCodes.X, PointerCodes.Y, PointerCodes.HorizontalWheel, PointerCodes.Wheel],
            },
        })
    {
    }

    /// <summary>The mouse is moved.</summary>
    /// <param name="right">How far to the right; negative for the left.</param>
    /// <param name="down">How far down; negative for up.</param>
    /// <returns>As <see cref="VirtioInput.Report"/>.</returns>
    public bool Move(int right, int down) =>
        Report(PointerCodes.Relative(PointerCodes.X, right), PointerCodes.Relative(PointerCodes.Y, down));

    /// <summary>A button is pressed or released.</summary>
    /// <returns>As <see cref="VirtioInput.Report"/>.</returns>
    public bool Set(MouseButton button, bool isPressed) => Report(PointerCodes.Button(button, isPressed));

    /// <summary>The wheel is turned.</summary>
    /// <param name="up">How many notches away from the user; negative for towards.</param>
    /// <param name="right">The same of the second wheel, to the right.</param>
    /// <returns>As <see cref="VirtioInput.Report"/>.</returns>
    public bool Scroll(int up, int right = 0) =>
        Report(PointerCodes.Relative(PointerCodes.Wheel, up), PointerCodes.Relative(PointerCodes.HorizontalWheel, right));
}
