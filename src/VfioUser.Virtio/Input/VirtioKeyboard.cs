namespace VfioUser.Virtio;

/// <summary>A keyboard for a guest.</summary>
/// <remarks>Any thread. Codes are of keys, not of letters: the guest's layout says what a key means.</remarks>
public sealed class VirtioKeyboard : VirtioInput
{
    // KEY_ESC to KEY_MICMUTE
    private const int FirstKey = 1;
    private const int Keys = 248;
    private const int LedCount = 3;

    private int _leds;

    /// <summary>Creates a keyboard with all usual keys and three lights. The guest repeats keys that are held.</summary>
    /// <param name="name">Its name in the guest.</param>
    public VirtioKeyboard(string name = "VfioUser keyboard")
        : base(new VirtioInputOptions
        {
            Name = name,
            Ids = new(Bus: 6, Vendor: 0x1AF4, Product: 1, Version: 1),
            Codes = new Dictionary<InputEventType, IReadOnlyList<int>>
            {
                [InputEventType.Key] = [.. Enumerable.Range(FirstKey, Keys)],
                [InputEventType.Led] = [.. Enumerable.Range(0, LedCount)],
                [InputEventType.Repeat] = [0, 1],
            },
        })
    {
    }

    /// <summary>Called when the guest has switched a light.</summary>
    /// <remarks>As <see cref="VirtioInput.StatusReceived"/>.</remarks>
    public event EventHandler? LedsChanged;

    /// <summary>The lights that the guest has switched on.</summary>
    public KeyboardLeds Leds => (KeyboardLeds)Volatile.Read(ref _leds);

    /// <summary>A key is pressed, and stays so.</summary>
    /// <returns>As <see cref="VirtioInput.Report"/>.</returns>
    public bool Press(InputKey key) => Report(new InputEvent(InputEventType.Key, (ushort)key, 1));

    /// <summary>A key is released.</summary>
    /// <returns>As <see cref="VirtioInput.Report"/>.</returns>
    public bool Release(InputKey key) => Report(new InputEvent(InputEventType.Key, (ushort)key, 0));

    /// <summary>Keys are pressed one after the other, and then released.</summary>
    /// <param name="keys">Such as left control and C.</param>
    /// <returns>False if a report was dropped.</returns>
    public bool Tap(params ReadOnlySpan<InputKey> keys)
    {
        bool isDone = true;
        foreach (InputKey key in keys)
            isDone &= Press(key);
        for (int i = keys.Length - 1; i >= 0; i--)
            isDone &= Release(keys[i]);
        return isDone;
    }

    private protected override void OnStatus(InputEvent status)
    {
        base.OnStatus(status);
        if (status is not { Type: InputEventType.Led, Code: < LedCount })
            return;
        int bit = 1 << status.Code;
        Volatile.Write(ref _leds, status.Value != 0 ? _leds | bit : _leds & ~bit);
        LedsChanged?.Invoke(this, EventArgs.Empty);
    }
}
