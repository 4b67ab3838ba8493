namespace VfioUser;

/// <content>Quiescing, for commands that require a quiesced device.</content>
public abstract partial class PciDevice
{
    /// <summary>Called to quiesce the device: once this has completed with true, its own threads must access no guest memory and
    /// trigger no interrupt until <see cref="OnResume"/>. For devices with threads; by default a device counts as quiesced.</summary>
    /// <param name="reason">What is about to happen.</param>
    /// <param name="cancellation">Cancelled when the command will not be carried out, since its client has disconnected or the
    /// server stops: complete soon, either way. For <see cref="QuiesceReason.ClientGone"/>: when the server stops and has waited
    /// for a second.</param>
    /// <returns>False if the device cannot be quiesced now: the command is refused with EBUSY, and has no effect.</returns>
    /// <remarks>
    /// Called on the Command thread; completes on any thread. The client's commands wait meanwhile, and QEMU times out after five
    /// seconds. Guest memory stays accessible until it completes, whatever its backing. It is not called again before
    /// it has completed, nor while the device is quiesced. An exception is logged, passed to
    /// <see cref="VfioUserServerOptions.OnDeviceException"/>, and fails the command with EIO.
    /// After a disconnect there is no command to refuse: the memory is unmapped whatever the answer is.
    /// </remarks>
    protected virtual ValueTask<bool> OnQuiesceAsync(QuiesceReason reason, CancellationToken cancellation) => new(true);

    /// <summary>Called to resume the quiesced device: the command is done, or has failed.</summary>
    /// <param name="reason">The reason given to <see cref="OnQuiesceAsync"/>.</param>
    /// <remarks>
    /// Command thread, once for each time that the device was quiesced, after all other calls of the command, such as
    /// <see cref="OnReset"/>, <see cref="OnDmaUnmapping"/> or <see cref="OnDetached"/>. A device that migration has stopped
    /// stays quiesced until it runs again: after <see cref="OnStarted"/>.
    /// </remarks>
    protected virtual void OnResume(QuiesceReason reason)
    {
    }

    /// <summary>The state of the device.</summary>
    internal DeviceActivity Activity { get; } = new();

    /// <summary>Closes the rundown protection of the workers, and calls <see cref="OnQuiesceAsync"/>.</summary>
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

    /// <summary>Resumes a quiesced device, unless migration has stopped it.</summary>
    internal void Resume()
    {
        if (Activity.Resume() is not { } reason)
            return;
        try
        {
            Call(DeviceCallback.Resume, static (_, _) => { }, static (device, reason) => device.OnResume(reason), reason);
        }
        finally
        {
            Workers.Open();
        }
    }

    // Resumes a device that is still quiesced from the previous client: its answer may have arrived after the request was abandoned.
    private void ResumeAfterPreviousClient()
    {
        if (Activity.Asked is { Answer: { IsCompleted: true } answer } late)
            Activity.Answer(late.Reason, answer.IsCompletedSuccessfully && answer.Result);
        Resume();
    }
}
