namespace VfioUser.Nvme;

/// <summary>One thread's right to touch the guest's memory and interrupts: held while it does, given back while it waits for a disk.</summary>
internal sealed class GuestPass(RundownGuard guest)
{
    public bool IsInside { get; private set; }

    /// <summary>Goes in, if it is not. False when the controller is being reset: nothing of the guest may be touched any more.</summary>
    public bool TryEnter() => IsInside || (IsInside = guest.TryEnter());

    /// <summary>Goes out, if it is in.</summary>
    public void Leave()
    {
        if (!IsInside)
            return;
        IsInside = false;
        guest.Exit();
    }
}
