namespace VfioUser.Nvme;

/// <summary>Namespaces that several controllers share: a host that has two of them has two paths to each disk.</summary>
/// <remarks>Any thread. NVMe 2.0 3.1.
/// <code>
/// using NvmeSubsystem subsystem = new([disk]);
/// using NvmeController first = new(subsystem);
/// using NvmeController second = new(subsystem);
/// </code>
/// </remarks>
public sealed class NvmeSubsystem : IDisposable
{
    /// <summary>A subsystem.</summary>
    /// <param name="disks">A namespace each, from number 1 on. The caller owns them and disposes them after the subsystem.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <exception cref="ArgumentException">One cannot be a namespace, or they are more than there can be.</exception>
    public NvmeSubsystem(IReadOnlyList<Disk> disks, NvmeSubsystemOptions? options = null)
        : this(NvmeController.WithDefaults(disks), options)
    {
    }

    /// <summary>A subsystem.</summary>
    /// <param name="namespaces">From number 1 on, unless they say; there may be none. The caller owns their disks and disposes them after the
    /// subsystem.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <exception cref="ArgumentException">A disk cannot be one of such blocks, or there are more than there can be, or two of a number.</exception>
    /// <exception cref="IOException">A file of reservations cannot be read.</exception>
    public NvmeSubsystem(IReadOnlyList<NvmeNamespace> namespaces, NvmeSubsystemOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(namespaces);
        options ??= new NvmeSubsystemOptions();
        options.Check();
        State = Subsystem.Of(namespaces, options, isShared: true);
    }

    /// <summary>Ids of its controllers (CNTLID), in order.</summary>
    public IReadOnlyList<ushort> Controllers => State.Controllers;

    internal Subsystem State { get; }

    /// <summary>Adds a namespace, to all controllers if it is to be attached: their drivers are told.</summary>
    /// <param name="space">Its disk stays the caller's, who disposes it after <see cref="RemoveNamespaceAsync"/> or after the subsystem.</param>
    /// <returns>Its number.</returns>
    /// <exception cref="ArgumentException">The disk cannot be one of such blocks, or there is no such number, or it is taken.</exception>
    /// <exception cref="InvalidOperationException">There are as many as there can be.</exception>
    /// <exception cref="IOException">Another process has the disk, or the file of its reservations cannot be read.</exception>
    public uint AddNamespace(NvmeNamespace space) => State.Add(space, only: null).Id;

    /// <summary>Removes a namespace from all controllers.</summary>
    /// <inheritdoc cref="NvmeController.RemoveNamespaceAsync"/>
    public Task RemoveNamespaceAsync(uint id, CancellationToken abort = default) => NamespaceRelease.Remove(State, id, abort);

    /// <summary>Lets the namespaces go. After the controllers have been disposed.</summary>
    public void Dispose() => State.Close();
}
