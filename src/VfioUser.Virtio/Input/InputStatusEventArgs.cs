namespace VfioUser.Virtio;

/// <summary>What the guest has set at an input device. Immutable.</summary>
public sealed class InputStatusEventArgs : EventArgs
{
    internal InputStatusEventArgs(InputEvent status) => Status = status;

    /// <summary>A light or sound, and its state.</summary>
    public InputEvent Status { get; }
}
