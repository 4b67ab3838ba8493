using System.Runtime.CompilerServices;
using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;

namespace VfioUser;

/// <content>Access through descriptors instead of messages.</content>
public partial class Region
{
    private readonly List<IoFdSubRegion> _ioFds = [];
    private Dictionary<long, IoEventFdSubRegion[]>? _ioEventFds;

    /// <summary>The sub-regions that the client may access through descriptors, in the order of their declaration.</summary>
    internal IReadOnlyList<IoFdSubRegion> IoFds => _ioFds;

    /// <summary>Adds an ioeventfd: the client gets an eventfd that KVM signals when the guest writes, without a message.</summary>
    /// <param name="offset">First byte, relative to the region.</param>
    /// <param name="handler">Called when a guest has written there, by eventfd or by message. It learns neither how often nor
    /// what was written; see <see cref="IoEventFdOptions.Datamatch"/> and <see cref="IoEventFdOptions.Shadow"/>.</param>
    /// <param name="size">Width of the writes that signal it, in bytes: 1, 2, 4 or 8; 0 for any of them.</param>
    /// <param name="datamatch">The value that signals it; null for any value.</param>
    /// <returns>The ioeventfd, to poll it or to add sub-regions.</returns>
    /// <exception cref="ArgumentException">It does not fit, another ioeventfd matches some of its writes, or the region is read-only.</exception>
    /// <exception cref="InvalidOperationException">The device is being served.</exception>
    /// <remarks>
    /// Setup. It may overlap a register or the region handler's range: reads and writes that do not match go there, matching
    /// writes do not. Matching writes by message to shared memory are also stored; if the client maps the memory, the guest's
    /// writes signal nothing. A client gets the first sub-regions of a region, up to the number of descriptors that it takes with
    /// one message, and accesses the others by message. Spec: VFIO_USER_DEVICE_GET_REGION_IO_FDS.
    /// </remarks>
    public RegionIoEventFd AddIoEventFd(long offset, Action handler, int size = sizeof(uint), ulong? datamatch = null) =>
        AddIoEventFd(offset, handler, new IoEventFdOptions { Size = size, Datamatch = datamatch });

    /// <summary>Adds an ioeventfd with options.</summary>
    /// <inheritdoc cref="AddIoEventFd(long, Action, int, ulong?)"/>
    [OverloadResolutionPriority(1)] // for new() { ... }
    public RegionIoEventFd AddIoEventFd(long offset, Action handler, IoEventFdOptions options)
    {
        ArgumentNullException.ThrowIfNull(handler);
        ArgumentNullException.ThrowIfNull(options);
        if (options.Mode is not (NotificationMode.Threaded or NotificationMode.Polling))
            throw new ArgumentOutOfRangeException(nameof(options), options.Mode, "Use a named NotificationMode.");
        RegionIoEventFd ioEventFd = new(Device, handler, options);
        AddSubRegion(ioEventFd, offset, options);
        Device.Notifiers.Add(ioEventFd);
        return ioEventFd;
    }

    /// <summary>Adds an ioregionfd: a descriptor on which the client sends accesses as ioregionfd messages.</summary>
    /// <param name="offset">First byte, relative to the region.</param>
    /// <param name="size">In bytes; 0 for accesses of any width.</param>
    /// <param name="fd">Taken over when this returns; the device serves its other end. May be used for several sub-regions.</param>
    /// <param name="userData">Returned with each message.</param>
    /// <param name="postedWrites">Whether the guest does not wait for its writes; must be set if the size is 0.</param>
    /// <exception cref="ArgumentException">It does not fit, or overlaps another ioregionfd.</exception>
    /// <exception cref="InvalidOperationException">The device is being served.</exception>
    /// <remarks>Setup. ioregionfd was never merged into Linux, so clients may ignore it and send REGION_READ and REGION_WRITE,
    /// which the region handles as usual. Spec: "Sub-Region IO FD info format (ioregionfd)".</remarks>
    public void AddIoRegionFd(long offset, long size, SafeFileHandle fd, ulong userData = 0, bool postedWrites = false)
    {
        ArgumentNullException.ThrowIfNull(fd);
        Device.ThrowIfServed();
        ThrowIfOutside(offset, size);
        if (size == 0 && !postedWrites)
            throw new ArgumentException("An ioregionfd without a size must have posted writes.", nameof(postedWrites));
        if (_ioFds.Exists(other => other is IoRegionFdSubRegion && offset < other.Offset + Math.Max(other.Size, 1) && other.Offset < offset + Math.Max(size, 1)))
            throw new ArgumentException($"Another ioregionfd of {Index} has bytes from 0x{offset:x} on.", nameof(offset));
        IoRegionFdFlags flags = (IsIoSpace ? IoRegionFdFlags.Pio : 0) | (postedWrites ? IoRegionFdFlags.PostedWrites : 0);
        _ioFds.Add(new IoRegionFdSubRegion(offset, size, new FixedFd(fd), flags, userData));
    }

    private void DisposeIoFds()
    {
        foreach (IoFdSubRegion subRegion in _ioFds)
        {
            if (subRegion is IoRegionFdSubRegion { Fd: FixedFd taken })
                taken.Handle.Dispose();
        }
    }

    internal void AddSubRegion(RegionIoEventFd ioEventFd, long offset, IoEventFdOptions options)
    {
        Device.ThrowIfServed();
        if (!IsWritable)
            throw new ArgumentException($"{Index} is read-only: no write can signal an ioeventfd.");
        if (options.Size is not (0 or 1 or 2 or 4 or 8))
            throw new ArgumentException($"A write has 1, 2, 4 or 8 bytes, or 0 for any, not {options.Size}.", nameof(options));
        ThrowIfOutside(offset, (long)options.Size);
        if (options.Datamatch is { } datamatch && (options.Size == 0 || (options.Size < 8 && datamatch >> (8 * options.Size) != 0)))
            throw new ArgumentException($"0x{datamatch:x} cannot be written with {options.Size} bytes, so it never matches.", nameof(options));
        if (options.Shadow is { } shadow && (options.ShadowOffset % sizeof(ulong) != 0
            || options.ShadowOffset < 0 || shadow.Length < sizeof(ulong) || (ulong)options.ShadowOffset > shadow.Length - sizeof(ulong)))
        {
            throw new ArgumentException($"ShadowOffset 0x{options.ShadowOffset:x} must be a multiple of 8, with 8 bytes within the memory of " +
                $"0x{shadow.Length:x} bytes.", nameof(options));
        }
        IoEventFdSubRegion subRegion = new(ioEventFd, offset, options, IsIoSpace);
        _ioEventFds ??= [];
        IoEventFdSubRegion[] here = _ioEventFds.GetValueOrDefault(offset, []);
        if (Array.Exists(here, subRegion.Collides))
        {
            throw new ArgumentException($"Another ioeventfd at 0x{offset:x} of {Index} matches some of these writes. " +
                "Give them different sizes or datamatch values.", nameof(offset));
        }
        _ioEventFds[offset] = [.. here, subRegion];
        _ioFds.Add(subRegion);
    }

    private bool IsIoSpace => this is Bar { Kind: BarKind.Io };

    private bool TrySignal(long offset, ReadOnlySpan<byte> source)
    {
        if (!_ioEventFds!.TryGetValue(offset, out IoEventFdSubRegion[]? subRegions))
            return false;
        foreach (IoEventFdSubRegion subRegion in subRegions)
        {
            if (!subRegion.Matches(source))
                continue;
            // the device expects the value in shared memory, however it arrived
            if (Find(offset, out long until) is MemoryPart memory && source.Length <= until - offset)
                memory.Write(offset - memory.Start, source);
            subRegion.Signal(source);
            return true;
        }
        return false;
    }

    private void ThrowIfOutside(long offset, long size)
    {
        if (offset < 0 || offset >= Size || size < 0 || size > Size - offset)
            throw new ArgumentException($"{size} bytes at 0x{offset:x} do not fit into {Index}, which has 0x{Size:x} bytes.", nameof(offset));
    }
}
