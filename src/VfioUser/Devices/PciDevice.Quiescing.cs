namespace VfioUser;

/// <content>Coming to rest while the ground is moved.</content>
public abstract partial class PciDevice
{
    /// <summary>The device is to come to rest: once this has completed with true, its own threads touch no guest memory and
    /// trigger no interrupt until <see cref="OnResume"/>. For devices that have threads; by default every device is at rest.</summary>
    /// <param name="reason">What is about to happen.</param>
    /// <param name="cancellation">The command will not be carried out any more, since its client has gone or the server
    /// stops; answer soon, either way. For <see cref="QuiesceReason.ClientGone"/>: the server has waited long enough.</param>
    /// <returns>False if the device cannot come to rest now: the command is refused with EBUSY, and nothing has happened.</returns>
    /// <remarks>
    /// Called on the Command thread; completes on any thread. The client's commands wait meanwhile, and QEMU waits for five
    /// seconds. Guest memory stays accessible until it completes, whichever way it is reached. It is not called again before
    /// it has completed, nor while the device is at rest. An exception is logged, offered to
    /// <see cref="VfioUserServerOptions.DeviceException"/>, and fails the command with EIO.
    /// When the client has gone there is nothing to refuse, and its memory is unmapped whatever the answer is.
    /// </remarks>
    protected virtual ValueTask<bool> OnQuiesceAsync(QuiesceReason reason, CancellationToken cancellation) => new(true);

    /// <summary>What the device came to rest for is over, whether it was done or not: it works again.</summary>
    /// <param name="reason">As it was given to <see cref="OnQuiesceAsync"/>.</param>
    /// <remarks>
    /// Command thread, once for each time that the device came to rest, after all other calls of the command, such as
    /// <see cref="OnReset"/>, <see cref="OnDmaUnmapping"/> or <see cref="OnDetached"/>. A device that migration has stopped
    /// stays at rest until it runs again: after <see cref="OnStarted"/>.
    /// </remarks>
    protected virtual void OnResume(QuiesceReason reason)
    {
    }

    /// <summary>What the device does now.</summary>
    internal DeviceActivity Activity { get; } = new();

    /// <summary>Has the device's workers leave, and asks the device.</summary>
    internal ValueTask<bool> QuiesceAsync(QuiesceReason reason, CancellationToken cancellation)
    {
        if (Workers.IsEmpty)
            return OnQuiesceAsync(reason, cancellation);
        Task inside = Workers.Close();
        ValueTask<bool> answer;
        try
        {
            answer = OnQuiesceAsync(reason, cancellation);
        }
        catch
        {
            Workers.Open();
            throw;
        }
        return Workers.QuiesceAsync(inside, answer);
    }

    /// <summary>Lets a device that is quiesced work again, unless migration has stopped it.</summary>
    internal void Resume()
    {
        if (Activity.Resume() is not { } reason)
            return;
        try
        {
            Call(DeviceCallback.Resume, static (device, reason) => device.OnResume(reason), reason);
        }
        finally
        {
            Workers.Open();
        }
    }

    // It may have answered since, when nobody asked any more.
    private void ResumeFromBefore()
    {
        if (Activity.Asked is { Answer: { IsCompleted: true } answer } late)
            Activity.Answer(late.Reason, answer.IsCompletedSuccessfully && answer.Result);
        Resume();
    }
}
