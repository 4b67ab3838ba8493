using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>What a client maps and unmaps. Decides how each region is reached, so that no client can harm this process.</summary>
/// <remarks>Command thread. Readers go by <see cref="Dma.Table"/>.</remarks>
internal sealed class DmaMappings(PciDevice device, DmaChannel channel, int maxMaps, bool trustClient, long maxDirtyBitmap, ServerLog log)
    : IDisposable
{
    private readonly Dma _dma = device.Dma;
    private readonly NotMapped _notMapped = new(log);

    /// <summary>Which pages the device writes.</summary>
    public DirtyPagesLog Dirty { get; } = new(device.Dma, maxDirtyBitmap, log);

    /// <summary>Cancelled when the server stops: an unmap then waits no longer.</summary>
    public CancellationToken Stopping { get; init; }

    /// <summary>Told of what the device throws when memory comes or goes.</summary>
    public Action<Command, Exception>? Threw { get; init; }

    /// <summary>How often it is said that an unmap still waits.</summary>
    public static TimeSpan Patience { get; } = TimeSpan.FromSeconds(1);

    /// <summary>What all clients of this process may use up together.</summary>
    public DmaBudget Budget { get; init; } = DmaBudget.OfProcess;

    /// <summary>Says how long a mapping that no region needs is kept.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    private DmaWindows Windows => field ??= new DmaWindows(Budget, Time);

    private DmaDescriptors Descriptors => field ??= new DmaDescriptors(Budget);

    /// <summary>Whether there is room for a region whose bounds are sound.</summary>
    public Refusal Check(in DmaMap map)
    {
        if (_dma.Table.Overlaps(map.Address, map.Address + (map.Size - 1)))
            return new Refusal(Errno.EEXIST, "0x{1:x} bytes at 0x{0:x} overlap a region that is mapped", map.Address, map.Size);
        return _dma.Table.Count < maxMaps ? default : Refusal.Invalid("{0} regions are mapped, as many as may be", (ulong)_dma.Table.Count);
    }

    /// <summary>Maps a region whose bounds are sound. Takes over the file.</summary>
    public Errno Map(in DmaMap map, SafeFileHandle? file) => Map(map, file, out _).Errno;

    /// <param name="map">Its bounds are sound.</param>
    /// <param name="file">Taken over.</param>
    /// <param name="undone">Set when the device threw: the region is unmapped again, and perhaps still in use.</param>
    public Refusal Map(in DmaMap map, SafeFileHandle? file, out DmaDrain? undone)
    {
        undone = null;
        DmaMapping? mapping = null;
        Refusal refusal = Check(map);
        if (refusal.IsNone)
            refusal = Open(map, file, out mapping);
        if (mapping is null)
        {
            file?.Dispose();
        }
        else if (!Dirty.TryAdd(mapping))
        {
            mapping.Close();
            refusal = new Refusal(Errno.ENOMEM, "there is no room for the bitmap of its dirty pages");
        }
        else
        {
            refusal = Publish(mapping, out undone);
        }
        return refusal;
    }

    /// <summary>Whether a range can be unmapped: any number of regions in it, none as well, but no part of one.</summary>
    /// <remarks>As VFIO type 1 v2 does it, and QEMU counts on it where there is a virtual IOMMU.</remarks>
    public Refusal CheckUnmap(ulong address, ulong size)
    {
        if (size == 0 || address > ulong.MaxValue - (size - 1))
            return Refusal.Invalid("0x{1:x} bytes at 0x{0:x} are no range", address, size);
        return _dma.Table.IsCutBy(address, address + (size - 1))
            ? Refusal.Invalid("0x{1:x} bytes at 0x{0:x} would cut a region that is mapped", address, size)
            : default;
    }

    /// <summary>Whether any region has a byte in a range whose bounds are valid.</summary>
    public bool HasAny(ulong first, ulong last) => _dma.Table.Overlaps(first, last);

    /// <summary>Unmaps the regions in a range, if it can be unmapped, and waits for their users.</summary>
    public Errno Unmap(ulong address, ulong size)
    {
        Errno errno = CheckUnmap(address, size).Errno;
        if (errno != Errno.None)
            return errno;
        DmaDrain drain = UnmapBetween(address, address + (size - 1));
        Await(drain);
        Drained(drain);
        return Errno.None;
    }

    /// <summary>Unmaps the regions in a range that <see cref="CheckUnmap"/> found nothing wrong with. Waits for nobody.</summary>
    /// <param name="first">First byte of the range.</param>
    /// <param name="last">Its last byte.</param>
    /// <param name="earlier">What its end is to wait for, too.</param>
    /// <returns>To be waited for, and then given to <see cref="Drained"/>.</returns>
    public DmaDrain UnmapBetween(ulong first, ulong last, DmaDrain? earlier = null)
    {
        // table first, then the users: whoever looked a region up before still gets in or is turned away by itself
        _dma.Table = _dma.Table.RemoveBetween(first, last, out DmaMapping[] mappings);
        DmaDrain drain = new(mappings, earlier);
        drain.Begin();
        // every one is told and waited for, whatever the device throws: a lease may hold several
        foreach (DmaMapping mapping in mappings)
        {
            try
            {
                device.DmaUnmapping(mapping.Region);
            }
            catch (Exception e)
            {
                Threw?.Invoke(Command.DmaUnmap, e);
            }
        }
        return drain;
    }

    /// <summary>Waits until nobody uses what was unmapped, or the server stops.</summary>
    public void Await(DmaDrain drain)
    {
        try
        {
            if (drain.Done.Wait(TimeSpan.Zero, Stopping))
                return;
            // a virtual CPU that waits for an earlier reply must not wait for the device as well
            channel.BeforeWaiting();
            while (!drain.Done.Wait(Patience, Stopping))
                Waits(drain);
        }
        catch (OperationCanceledException)
        {
            // the server stops: whoever still holds a region lets it go when it is done
            foreach (DmaRegion region in drain.InUse)
                log.UnmapAbandoned(region.Address, region.Length);
        }
    }

    /// <summary>Says that an unmap still waits.</summary>
    public void Waits(DmaDrain drain)
    {
        if (drain.InUse.FirstOrDefault() is { } region)
            log.UnmapWaits(region.Address, region.Length);
    }

    /// <summary>Nobody uses what was unmapped any more.</summary>
    public void Drained(DmaDrain drain)
    {
        foreach (DmaMapping mapping in drain.Mappings)
            Dirty.Remove(mapping);
    }

    public void UnmapAll() => Await(UnmapBetween(0, ulong.MaxValue));

    /// <summary>The session is over: what was kept for the next map goes.</summary>
    public void Dispose() => Windows.Dispose();

    private Refusal Publish(DmaMapping mapping, out DmaDrain? undone)
    {
        undone = null;
        _dma.Table = _dma.Table.Add(mapping);
        log.Mapped(mapping.Region.Address, mapping.Region.Length, mapping.Region.Way);
        try
        {
            device.DmaMapped(mapping.Region);
            return default;
        }
        catch (Exception e)
        {
            Threw?.Invoke(Command.DmaMap, e);
            // the client will read that nothing is mapped
            undone = UnmapBetween(mapping.Start, mapping.Last);
            return new Refusal(Errno.EIO, "the device threw");
        }
    }

    private Refusal Open(in DmaMap map, SafeFileHandle? file, out DmaMapping? mapping)
    {
        mapping = null;
        bool readable = (map.Flags & DmaMapFlags.Readable) != 0;
        bool writable = (map.Flags & DmaMapFlags.Writeable) != 0;
        Refusal refusal = Choose(map, file, out FileFacts facts, out DmaWay way, out DmaWindow? window);
        if (!refusal.IsNone)
            return refusal;
        bool mayMap = way == DmaWay.Mapped;
        if (way == DmaWay.Mapped)
        {
            Errno errno = Errno.None;
            window ??= Windows.TryOpen(file!, facts, map, out errno);
            if (errno != Errno.None)
                return new Refusal(errno, "the file cannot be mapped");
            if (window is null)
                way = DmaWay.FileIo; // slower, and the process lives
        }
        DmaDescriptor? descriptor = way == DmaWay.FileIo ? Descriptors.TryKeep(file!, facts) : null;
        if (way == DmaWay.FileIo && descriptor is null)
            return new Refusal(Errno.ENOSPC, "as many descriptors are kept for regions as may be");
        if (way != DmaWay.Mapped)
            _notMapped.Tell(map, file is null ? null : facts, way, mayMap);
        DmaRegion region = new(new Iova(map.Address), map.Size, readable, writable, way);
        DmaMeter meter = log.Metrics.Of(way);
        switch (way)
        {
            case DmaWay.Mapped:
                file!.Dispose(); // the window holds the file by itself
                mapping = new MappedDma(region, window!, map.Offset) { Meter = meter };
                return default;
            case DmaWay.FileIo:
                mapping = new FileDma(region, descriptor!, map.Offset) { Meter = meter };
                return default;
            default:
                file?.Dispose();
                mapping = new MessageDma(region, channel) { Meter = meter };
                return default;
        }
    }

    // A page that a client can take away from under a mapping kills the process that touches it (SIGBUS), so what is
    // mapped is sealed against shrinking, or its sender is trusted. A huge page can be taken away in spite of the seal:
    // by a hole in the file, when there are no more of them to fill it. A seal never comes off again, so what is
    // mapped already is not asked for it.
    private Refusal Choose(in DmaMap map, SafeFileHandle? file, out FileFacts facts, out DmaWay way, out DmaWindow? window)
    {
        facts = default;
        way = DmaWay.Message;
        window = null;
        if (file is null)
            return default;
        if (map.Offset > long.MaxValue || map.Size > long.MaxValue - map.Offset)
            return Refusal.Invalid("0x{1:x} bytes at 0x{0:x} go beyond the end of any file", map.Offset, map.Size);
        if (!FileCalls.TryDescribe(file, out facts))
            return Refusal.Invalid("the descriptor is of no file");
        bool systemCalls = (map.Flags & DmaMapFlags.FileIo) != 0 && (map.Flags & DmaMapFlags.Mmap) == 0;
        // a system call on a device or a queue may never come back
        if (!facts.IsRegular && !trustClient)
            return systemCalls ? Refusal.Invalid("a file for system calls has to be a regular one") : default;
        way = DmaWay.FileIo;
        // some files that are meant for system calls have no size, such as /proc/PID/mem
        if (systemCalls)
            return default;
        if (facts.IsRegular && map.Offset + map.Size > facts.Length)
            return Refusal.Invalid("0x{1:x} bytes at 0x{0:x} do not lie in a file of 0x{2:x}", map.Offset, map.Size, (ulong)facts.Length);
        window = Windows.TryEnter(file, facts, map);
        if (trustClient || window is not null)
            way = DmaWay.Mapped;
        else if (facts.IsHuge)
            way = DmaWay.Message;
        else if (FileCalls.IsSealedAgainstShrinking(file))
            way = DmaWay.Mapped;
        return default;
    }
}
