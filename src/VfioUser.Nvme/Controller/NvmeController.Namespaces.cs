namespace VfioUser.Nvme;

/// <content>Namespaces that come and go while the guest runs.</content>
public sealed partial class NvmeController
{
    private static readonly TimeSpan AbortInterval = TimeSpan.FromMilliseconds(50);

    /// <summary>The namespaces as they are now, by number. Any thread.</summary>
    public IReadOnlyList<NvmeNamespaceInfo> Namespaces =>
        [.. _parts.Namespaces.All.Select(space => new NvmeNamespaceInfo(space.Id, space.IsAttached, space.BlockSize, space.Length))];

    /// <summary>Adds a namespace. If it is attached, a driver that asks for such events is told (Namespace Attribute Changed): Linux has the
    /// disk a moment later. Any thread.</summary>
    /// <param name="space">Its disk stays the caller's, who disposes it after <see cref="RemoveNamespaceAsync"/> or after the controller.</param>
    /// <returns>Its number.</returns>
    /// <remarks>If the driver enabled the controller when no disk had a volatile cache, it does not flush: each of its writes to a disk that
    /// has one is then made durable before it is answered. NVMe 1.4 6.1, 8.12.</remarks>
    /// <exception cref="ArgumentException">The disk cannot be one of such blocks, or there is no such number, or it is taken.</exception>
    /// <exception cref="InvalidOperationException">There are as many as there can be.</exception>
    /// <exception cref="IOException">Another process has the disk.</exception>
    public uint AddNamespace(NvmeNamespace space)
    {
        ArgumentNullException.ThrowIfNull(space);
        space.RateLimit?.Check();
        lock (_adding)
        {
            Namespace added = _parts.Namespaces.Add(space.Id, id =>
                new Namespace(id, space, _parts.Options.BlockSize, DiskNames.Of(_parts.SerialNumber, space.Disk, _parts.Namespaces.All)));
            try
            {
                // before the driver can use it; one that is enabled from now on does the same
                if (_lifecycle.IsEnabled && !space.Disk.IsActive)
                    space.Disk.Activate();
            }
            catch
            {
                _parts.Namespaces.Remove(added);
                throw;
            }
            Limit(added, space.RateLimit);
            if (space.IsAttached)
                _parts.Namespaces.Attach(added);
            return added.Id;
        }
    }

    /// <summary>Removes a namespace. The driver is told at once; new commands to it fail, and those that have begun come to their end.
    /// Nothing uses the disk any more when the task is complete. What the guest wrote and did not flush is as the disk has it:
    /// <see cref="Disk.FlushAsync"/> before you dispose it. Any thread.</summary>
    /// <param name="id">Its number.</param>
    /// <param name="abort">Cancelled if its disk is not to be waited for: commands that wait for its answer are aborted. A disk that
    /// heeds no cancellation is waited for all the same.</param>
    /// <returns>Complete when nothing uses the disk.</returns>
    /// <exception cref="ArgumentException">There is no such namespace.</exception>
    public Task RemoveNamespaceAsync(uint id, CancellationToken abort = default)
    {
        Namespace space = Find(id);
        return Release(space, () => _parts.Namespaces.Remove(space), abort);
    }

    /// <summary>Attaches a namespace to the controller: the driver sees it. Does nothing if it is attached. Any thread. NVMe 1.4 5.19.</summary>
    /// <param name="id">Its number.</param>
    /// <exception cref="ArgumentException">There is no such namespace.</exception>
    public void AttachNamespace(uint id) => _parts.Namespaces.Attach(Find(id));

    /// <summary>Detaches a namespace: as <see cref="RemoveNamespaceAsync"/>, but it stays, and the driver may attach it again.</summary>
    /// <inheritdoc cref="RemoveNamespaceAsync"/>
    public Task DetachNamespaceAsync(uint id, CancellationToken abort = default)
    {
        Namespace space = Find(id);
        return Release(space, () => _parts.Namespaces.Detach(space), abort);
    }

    /// <summary>Limits how much the guest may do on a namespace in a second, from the next command on. By the clock of
    /// <see cref="PciDevice.TimeProvider"/>. Any thread.</summary>
    /// <param name="id">Its number.</param>
    /// <param name="limit">Null for no limit.</param>
    /// <exception cref="ArgumentException">There is no such namespace, or the limit cannot be.</exception>
    public void SetRateLimit(uint id, NvmeRateLimit? limit)
    {
        limit?.Check();
        Limit(Find(id), limit);
    }

    private void Limit(Namespace space, NvmeRateLimit? limit) =>
        space.Limiter = limit is { Commands: not null } or { Bytes: not null } ? new RateLimiter(limit, _parts.Time) : null;

    private Namespace Find(uint id) => _parts.Namespaces.Allocated(id) ?? throw new ArgumentException($"There is no namespace {id}.", nameof(id));

    // on a thread that may wait for disks
    private async Task Release(Namespace space, Func<bool> release, CancellationToken abort)
    {
        Task<bool> released = Task.Run(release, CancellationToken.None);
        TaskCompletionSource aborted = new(TaskCreationOptions.RunContinuationsAsynchronously);
        using (abort.UnsafeRegister(static aborted => ((TaskCompletionSource)aborted!).TrySetResult(), aborted))
            await Task.WhenAny(released, aborted.Task).ConfigureAwait(false);
        // again, for a command that was about to call its disk the first time
        while (!released.IsCompleted)
        {
            _parts.Workers.Abort(space);
            await Task.WhenAny(released, Task.Delay(AbortInterval, CancellationToken.None)).ConfigureAwait(false);
        }
        await released.ConfigureAwait(false);
    }
}
