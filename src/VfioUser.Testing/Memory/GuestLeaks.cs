using System.Diagnostics;

namespace VfioUser.Testing;

/// <summary>Finds leases and pins that a device does not dispose, while the guest waits for it.</summary>
internal sealed class GuestLeaks(PciDevice? device, TestGuestOptions options)
{
    private readonly TimeSpan _patience = options.LeaseTimeout < options.Timeout ? options.LeaseTimeout : options.Timeout;

    /// <summary>Waits for a task, as long as no lease or pin is held for too long.</summary>
    /// <param name="task">What is waited for.</param>
    /// <param name="isStuck">Whether there is another reason to wait no longer.</param>
    /// <returns>Whether it has ended; false also after <see cref="TestGuestOptions.Timeout"/>.</returns>
    public bool Await(Task task, Func<bool>? isStuck = null)
    {
        long start = Stopwatch.GetTimestamp();
        do
        {
            if (Task.WaitAny([task], _patience) >= 0)
                return true;
            if (device?.Dma.Holds?.Describe(_patience) is not null || isStuck?.Invoke() == true)
                return false;
        }
        while (Stopwatch.GetElapsedTime(start) < options.Timeout);
        return false;
    }

    /// <summary>An exception with all leases and pins that are held.</summary>
    public TestGuestException Told(string what) =>
        new($"{what}, and {device?.GetType().Name} still holds guest memory: {device?.Dma.Holds?.Describe() ?? "none any more"}");
}
