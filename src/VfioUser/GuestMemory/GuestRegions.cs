using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>The guest memory that a client maps and unmaps. Decides how each region is reached, so that no client can harm this process.</summary>
/// <remarks>Command thread. Readers go by <see cref="Dma.Table"/>.</remarks>
internal sealed class GuestRegions(
    PciDevice device, IDmaMessages messages, int maxMaps, bool trustClient, long maxDirtyBitmap, IGuestMemoryObserver observer) : IDisposable
{
    private readonly Dma _dma = device.Dma;
    private readonly NotMapped _notMapped = new(observer);

    /// <summary>Which pages the device writes.</summary>
    public DirtyPagesLog Dirty { get; } = new(device.Dma, maxDirtyBitmap, observer);

    /// <summary>Cancelled when the server stops: an unmap then waits no longer.</summary>
    public CancellationToken Stopping { get; init; }

    /// <summary>Told of what the device throws when memory comes or goes.</summary>
    public Action<DeviceCallback, Exception>? Threw { get; init; }

    /// <summary>How often it is said that an unmap still waits.</summary>
    public static TimeSpan WarningInterval { get; } = TimeSpan.FromSeconds(1);

    /// <summary>What all clients of this process may use up together.</summary>
    public DmaBudget Budget { get; init; } = DmaBudget.OfProcess;

    /// <summary>Says how long a mapping that no region needs is kept.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    private FileWindows Windows => field ??= new FileWindows(Budget, Time);

    private GuestFiles Files => field ??= new GuestFiles(Budget);

    /// <summary>Whether there is room for a region whose bounds are valid.</summary>
    public Refusal Check(in DmaMap map)
    {
        if (_dma.Table.Overlaps(map.Address, map.Address + (map.Size - 1)))
            return new Refusal(Errno.EEXIST, "0x{1:x} bytes at 0x{0:x} overlap a region that is mapped", map.Address, map.Size);
        return _dma.Table.Count < maxMaps ? default : Refusal.Invalid("{0} regions are mapped, as many as may be", (ulong)_dma.Table.Count);
    }

    /// <summary>Maps a region that <see cref="Check"/> found nothing wrong with.</summary>
    /// <param name="map">Its bounds are valid.</param>
    /// <param name="file">Taken over.</param>
    /// <param name="undone">Set when the device threw: the region is unmapped again, and perhaps still in use.</param>
    public Refusal Map(in DmaMap map, SafeFileHandle? file, out DmaDrain? undone)
    {
        undone = null;
        GuestRegion? region = null;
        Refusal refusal;
        try
        {
            refusal = Open(map, file, out region);
        }
        finally
        {
            // the one place that closes it: only a region that is read and written through it keeps it, and a mapping
            // holds its file by itself
            if (region is not FileGuestRegion through || through.File.File != file)
                file?.Dispose();
        }
        if (region is null)
            return refusal;
        if (!Dirty.TryAdd(region))
        {
            region.Close();
            return new Refusal(Errno.ENOMEM, "there is no room for the bitmap of its dirty pages");
        }
        return Publish(region, out undone);
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
        _dma.Table = _dma.Table.RemoveBetween(first, last, out GuestRegion[] regions);
        DmaDrain drain = new(regions, earlier);
        drain.Begin();
        // every one is told and waited for, whatever the device throws: a lease may hold several
        foreach (GuestRegion region in regions)
        {
            try
            {
                device.DmaUnmapping(region.Description);
            }
            catch (Exception e)
            {
                Threw?.Invoke(DeviceCallback.DmaUnmapping, e);
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
            messages.BeforeWaiting();
            while (!drain.Done.Wait(WarningInterval, Stopping))
                Waits(drain);
        }
        catch (OperationCanceledException)
        {
            // the server stops: whoever still holds a region lets it go when it is done
            foreach (DmaRegion region in drain.InUse)
                observer.UnmapAbandoned(region);
        }
    }

    /// <summary>Says that an unmap still waits.</summary>
    public void Waits(DmaDrain drain)
    {
        if (drain.InUse.FirstOrDefault() is { } region)
            observer.UnmapWaits(region);
    }

    /// <summary>Nobody uses what was unmapped any more.</summary>
    public void Drained(DmaDrain drain)
    {
        foreach (GuestRegion region in drain.Regions)
            Dirty.Remove(region);
    }

    public void UnmapAll() => Await(UnmapBetween(0, ulong.MaxValue));

    /// <summary>The session is over: what was kept for the next map goes.</summary>
    public void Dispose() => Windows.Dispose();

    private Refusal Publish(GuestRegion region, out DmaDrain? undone)
    {
        undone = null;
        _dma.Table = _dma.Table.Add(region);
        observer.Mapped(region.Description);
        try
        {
            device.DmaMapped(region.Description);
            return default;
        }
        catch (Exception e)
        {
            Threw?.Invoke(DeviceCallback.DmaMapped, e);
            // the client will read that nothing is mapped
            undone = UnmapBetween(region.Start, region.Last);
            return new Refusal(Errno.EIO, "the device threw");
        }
    }

    private Refusal Open(in DmaMap map, SafeFileHandle? file, out GuestRegion? region)
    {
        region = null;
        Refusal refusal = Choose(map, file, out FileFacts facts, out DmaBacking backing, out FileWindow? window);
        if (!refusal.IsNone)
            return refusal;
        bool mayMap = backing == DmaBacking.Mapped;
        if (mayMap)
        {
            Errno errno = Errno.None;
            window ??= Windows.TryOpen(file!, facts, map, out errno);
            if (errno != Errno.None)
                return new Refusal(errno, "the file cannot be mapped");
            if (window is null)
                backing = DmaBacking.FileIo; // slower, and the process lives
        }
        GuestFile? kept = backing == DmaBacking.FileIo ? Files.TryKeep(file!, facts) : null;
        if (backing == DmaBacking.FileIo && kept is null)
            return new Refusal(Errno.ENOSPC, "as many descriptors are kept for regions as may be");
        if (backing != DmaBacking.Mapped)
            _notMapped.Tell(map, file is null ? null : facts, backing, mayMap);
        DmaRegion description = new(new Iova(map.Address), map.Size, (map.Flags & DmaMapFlags.Readable) != 0, (map.Flags & DmaMapFlags.Writeable) != 0, backing);
        DmaMeter meter = observer.MeterOf(backing);
        region = backing switch
        {
            DmaBacking.Mapped => new MappedGuestRegion(description, window!, map.Offset) { Meter = meter },
            DmaBacking.FileIo => new FileGuestRegion(description, kept!, map.Offset) { Meter = meter },
            _ => new MessageGuestRegion(description, messages) { Meter = meter },
        };
        return default;
    }

    // A page that a client can take away from under a mapping kills the process that touches it (SIGBUS), so what is
    // mapped is sealed against shrinking, or its sender is trusted. A huge page can be taken away in spite of the seal:
    // by a hole in the file, when there are no more of them to fill it. A seal never comes off again, so what is
    // mapped already is not asked for it.
    private Refusal Choose(in DmaMap map, SafeFileHandle? file, out FileFacts facts, out DmaBacking backing, out FileWindow? window)
    {
        facts = default;
        backing = DmaBacking.Message;
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
        backing = DmaBacking.FileIo;
        // some files that are meant for system calls have no size, such as /proc/PID/mem
        if (systemCalls)
            return default;
        if (facts.IsRegular && map.Offset + map.Size > facts.Length)
            return Refusal.Invalid("0x{1:x} bytes at 0x{0:x} do not lie in a file of 0x{2:x}", map.Offset, map.Size, (ulong)facts.Length);
        window = Windows.TryEnter(file, facts, map);
        if (trustClient || window is not null)
            backing = DmaBacking.Mapped;
        else if (facts.IsHuge)
            backing = DmaBacking.Message;
        else if (FileCalls.IsSealedAgainstShrinking(file))
            backing = DmaBacking.Mapped;
        return default;
    }
}
