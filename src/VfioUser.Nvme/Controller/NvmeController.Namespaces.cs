namespace VfioUser.Nvme;

/// <content>Namespaces that come and go while the guest runs.</content>
public sealed partial class NvmeController
{
    /// <summary>The namespaces as they are now, by number. Any thread.</summary>
    public IReadOnlyList<NvmeNamespaceInfo> Namespaces =>
        [.. _parts.Namespaces.All.Select(space => new NvmeNamespaceInfo(space.Id, space.IsAttached, space.BlockSize, space.Length))];

    /// <summary>Adds a namespace; one of a subsystem, too, to this controller alone. If it is attached, a driver that asks for such events is told (Namespace Attribute Changed): Linux has the
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
        return _parts.Subsystem.Add(space, _parts.Namespaces).Id;
    }

    /// <summary>Removes a namespace, from all controllers of the subsystem. The driver is told at once; new commands to it fail, and those that have begun come to their end.
    /// Nothing uses the disk any more when the task is complete. What the guest wrote and did not flush is as the disk has it:
    /// <see cref="Disk.FlushAsync"/> before you dispose it. Any thread.</summary>
    /// <param name="id">Its number.</param>
    /// <param name="abort">Cancelled if its disk is not to be waited for: commands that wait for its answer are aborted. A disk that
    /// heeds no cancellation is waited for all the same.</param>
    /// <returns>Complete when nothing uses the disk.</returns>
    /// <exception cref="ArgumentException">There is no such namespace.</exception>
    public Task RemoveNamespaceAsync(uint id, CancellationToken abort = default)
    {
        Find(id);
        return NamespaceRelease.Remove(_parts.Subsystem, id, abort);
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
        return NamespaceRelease.Release(() => _parts.Namespaces.Detach(space), [space], abort);
    }

    /// <summary>Limits how much the guest may do on a namespace in a second, from the next command on. By the clock of
    /// <see cref="PciDevice.TimeProvider"/>. Any thread.</summary>
    /// <param name="id">Its number.</param>
    /// <param name="limit">Null for no limit.</param>
    /// <exception cref="ArgumentException">There is no such namespace, or the limit cannot be.</exception>
    public void SetRateLimit(uint id, NvmeRateLimit? limit)
    {
        limit?.Check();
        Find(id).Shared.Limit(limit, () => _parts.Subsystem.Time);
    }

    /// <summary>Sets how well this controller gets at a group of namespaces. A driver that asks for such events is told (Asymmetric Namespace
    /// Access Change); Linux sends its commands to another controller of the subsystem then. Commands that have begun go on. Any
    /// thread. NVMe 2.0 8.1.</summary>
    /// <param name="group">From 1 to 16: <see cref="NvmeNamespace.AnaGroup"/>.</param>
    /// <param name="state">At first all are <see cref="NvmeAnaState.Optimized"/>. Resets do not change it, and migrations do not carry it.</param>
    /// <exception cref="ArgumentException">There is no such group, or no such state.</exception>
    /// <exception cref="InvalidOperationException">The controller is not one of an <see cref="NvmeSubsystem"/>.</exception>
    public void SetAnaState(uint group, NvmeAnaState state)
    {
        if (!AnaGroups.IsValid(group))
            throw new ArgumentException($"An ANA group has a number from 1 to {AnaGroups.Count}, not {group}.", nameof(group));
        if (!Enum.IsDefined(state))
            throw new ArgumentException($"There is no ANA state {(int)state}.", nameof(state));
        if (!_parts.Subsystem.IsShared)
            throw new InvalidOperationException("A controller that is alone has no paths to tell apart: it needs an NvmeSubsystem.");
        _parts.SetAnaState(group, state);
    }

    private Namespace Find(uint id) => _parts.Namespaces.Allocated(id) ?? throw new ArgumentException($"There is no namespace {id}.", nameof(id));
}
