using System.Runtime.CompilerServices;
using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;

namespace VfioUser;

/// <content>Access by descriptors in subRegion of messages.</content>
public partial class Region
{
    private readonly List<IoFdSubRegion> _ioFds = [];
    private Dictionary<ulong, IoEventFdSubRegion[]>? _ioEventFds;

    /// <summary>What the client may reach by descriptor, in the order in which it was declared.</summary>
    internal IReadOnlyList<IoFdSubRegion> IoFds => _ioFds;

    /// <summary>Has a write ring without a message: the client gets an eventfd for the subRegion.</summary>
    /// <param name="offset">First byte, relative to the region.</param>
    /// <param name="handler">Called when a guest has written there, by eventfd or by message. It learns neither how often nor
    /// what was written; see <see cref="IoEventFdOptions.Datamatch"/> and <see cref="IoEventFdOptions.Shadow"/>.</param>
    /// <param name="size">Width of the writes that ring, in bytes: 1, 2, 4 or 8; 0 for any of them.</param>
    /// <param name="datamatch">The value that rings; null for all.</param>
    /// <returns>For more subRegions, and to poll it.</returns>
    /// <exception cref="ArgumentException">It does not fit, some write rings there already, or the region cannot be written.</exception>
    /// <exception cref="InvalidOperationException">The device is being served.</exception>
    /// <remarks>
    /// Setup. The subRegion may lie on a register or in the handler's part: reads and the writes that do not match go there,
    /// the ones that ring do not. On shared memory they are stored first; a client that maps it does not ring.
    /// A client gets as many of a region's subRegions as it takes descriptors with one message, first come first served; it
    /// reaches the others by message. Spec: VFIO_USER_DEVICE_GET_REGION_IO_FDS.
    /// </remarks>
    public RegionIoEventFd AddIoEventFd(ulong offset, Action handler, int size = sizeof(uint), ulong? datamatch = null) =>
        AddIoEventFd(offset, handler, new IoEventFdOptions { Size = size, Datamatch = datamatch });

    /// <summary>Has a write ring without a message, with more to say about it.</summary>
    /// <inheritdoc cref="AddIoEventFd(ulong, Action, int, ulong?)"/>
    [OverloadResolutionPriority(1)] // for new() { ... }
    public RegionIoEventFd AddIoEventFd(ulong offset, Action handler, IoEventFdOptions options)
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

    /// <summary>Offers a descriptor of the author's on which a client's accesses become messages of the ioregionfd kind.</summary>
    /// <param name="offset">First byte, relative to the region.</param>
    /// <param name="size">In bytes; 0 if the width of an access does not matter.</param>
    /// <param name="fd">Taken over when this returns; the author serves its other end. May be given for several spans.</param>
    /// <param name="userData">Comes back with each message.</param>
    /// <param name="postedWrites">Whether the guest does not wait for its writes; must be set if the size is 0.</param>
    /// <exception cref="ArgumentException">It does not fit, or overlaps another such span.</exception>
    /// <exception cref="InvalidOperationException">The device is being served.</exception>
    /// <remarks>Setup. Linux never got the other end of it, so clients may ignore it and send messages of this protocol, which
    /// the region answers as ever. Spec: "Sub-Region IO FD info format (ioregionfd)".</remarks>
    public void AddIoRegionFd(ulong offset, ulong size, SafeFileHandle fd, ulong userData = 0, bool postedWrites = false)
    {
        ArgumentNullException.ThrowIfNull(fd);
        Device.ThrowIfServed();
        ThrowIfOutside(offset, size);
        if (size == 0 && !postedWrites)
            throw new ArgumentException("Without a size, writes must be posted: nobody would know what to answer.", nameof(postedWrites));
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

    internal void AddSubRegion(RegionIoEventFd ioEventFd, ulong offset, IoEventFdOptions options)
    {
        Device.ThrowIfServed();
        if (!IsWritable)
            throw new ArgumentException($"{Index} cannot be written, so nobody can ring there.");
        if (options.Size is not (0 or 1 or 2 or 4 or 8))
            throw new ArgumentException($"A write has 1, 2, 4 or 8 bytes, or 0 for any, not {options.Size}.", nameof(options));
        ThrowIfOutside(offset, (ulong)options.Size);
        if (options.Datamatch is { } datamatch && (options.Size == 0 || (options.Size < 8 && datamatch >> (8 * options.Size) != 0)))
            throw new ArgumentException($"0x{datamatch:x} cannot be written with {options.Size} bytes, so it never matches.", nameof(options));
        if (options.Shadow is { } shadow && (options.ShadowOffset % sizeof(ulong) != 0
            || shadow.Length < sizeof(ulong) || options.ShadowOffset > shadow.Length - sizeof(ulong)))
        {
            throw new ArgumentException($"The shadow's subRegion 0x{options.ShadowOffset:x} is a multiple of 8 within its memory of " +
                $"0x{shadow.Length:x} bytes.", nameof(options));
        }
        IoEventFdSubRegion subRegion = new(ioEventFd, offset, options, IsIoSpace);
        _ioEventFds ??= [];
        IoEventFdSubRegion[] here = _ioEventFds.GetValueOrDefault(offset, []);
        if (Array.Exists(here, subRegion.Collides))
        {
            throw new ArgumentException($"Another ioeventfd at 0x{offset:x} of {Index} rings for some of these writes. " +
                "Give them different sizes or datamatch values.", nameof(offset));
        }
        _ioEventFds[offset] = [.. here, subRegion];
        _ioFds.Add(subRegion);
    }

    private bool IsIoSpace => this is Bar { Kind: BarKind.Io };

    private bool TrySignal(ulong offset, ReadOnlySpan<byte> source)
    {
        if (!_ioEventFds!.TryGetValue(offset, out IoEventFdSubRegion[]? subRegions))
            return false;
        foreach (IoEventFdSubRegion subRegion in subRegions)
        {
            if (!subRegion.Matches(source))
                continue;
            // who reads the memory expects the value there, by whichever way it came
            if (Find(offset, out ulong until) is MemoryPart memory && (ulong)source.Length <= until - offset)
                memory.Write(offset - memory.Start, source);
            subRegion.Signal(source);
            return true;
        }
        return false;
    }

    private void ThrowIfOutside(ulong offset, ulong size)
    {
        if (offset >= Size || size > Size - offset)
            throw new ArgumentException($"{size} bytes at 0x{offset:x} do not fit into {Index}, which has 0x{Size:x} bytes.", nameof(offset));
    }
}
