namespace Nvme.Threads;

/// <summary>One thread's way through the gate: within while it touches the guest, outside while it waits for a disk.</summary>
internal sealed class GuestPass(Gate gate)
{
    public bool IsInside { get; private set; }

    /// <summary>Goes in, if it is not. False when the controller is being reset: nothing of the guest may be touched any more.</summary>
    public bool TryEnter() => IsInside || (IsInside = gate.TryEnter());

    /// <summary>Goes out, if it is in.</summary>
    public void Leave()
    {
        if (!IsInside)
            return;
        IsInside = false;
        gate.Exit();
    }
}
