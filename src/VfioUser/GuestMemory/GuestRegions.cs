using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>Maps and unmaps the DMA regions of a client. Chooses each region's backing so that no client can crash this process.</summary>
/// <remarks>Command thread. Accesses use <see cref="Dma.Table"/>.</remarks>
internal sealed class GuestRegions(
    PciDevice device, IDmaMessages messages, int maxMaps, bool trustClient, long maxDirtyBitmap, IGuestMemoryObserver observer) : IDisposable
{
    private readonly Dma _dma = device.Dma;
    private readonly NotMapped _notMapped = new(observer);

    /// <summary>Dirty page logging.</summary>
    public DirtyPagesLog Dirty { get; } = new(device.Dma, maxDirtyBitmap, observer);

    /// <summary>Cancelled when the server stops: an unmap then stops waiting.</summary>
    public CancellationToken Stopping { get; init; }

    /// <summary>Called with what the device throws when a region is mapped or unmapped.</summary>
    public Action<DeviceCallback, Exception>? Threw { get; init; }

    /// <summary>How often a warning is logged while an unmap waits.</summary>
    public static TimeSpan WarningInterval { get; } = TimeSpan.FromSeconds(1);

    /// <summary>Limits all clients of this process together.</summary>
    public DmaBudget Budget { get; init; } = DmaBudget.OfProcess;

    /// <summary>Clock for the expiry of unused mappings.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    private FileWindows Windows => field ??= new FileWindows(Budget, Time);

    private GuestFiles Files => field ??= new GuestFiles(Budget);

    /// <summary>Checks whether a region with valid bounds can be added: it overlaps none, and there are not too many.</summary>
    public Refusal Check(in DmaMap map)
    {
        if (_dma.Table.Overlaps(map.Address, map.Address + (map.Size - 1)))
            return new Refusal(Errno.EEXIST, "0x{1:x} bytes at 0x{0:x} overlap a region that is mapped", map.Address, map.Size);
        return _dma.Table.Count < maxMaps ? default : Refusal.Invalid("{0} regions are mapped, as many as may be", (ulong)_dma.Table.Count);
    }

    /// <summary>Maps a region that passed <see cref="Check"/>.</summary>
    /// <param name="map">Its bounds are valid.</param>
    /// <param name="file">Taken over; null if the client sent none.</param>
    /// <param name="undone">Set when the device threw: the region is unmapped again, and may still be in use.</param>
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
            // the only place that closes it, unless a region keeps it
            if (file is not null && region?.File?.File != file)
                file.Dispose();
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

    /// <summary>Checks whether a range can be unmapped: it may contain any number of regions, even none, but must not split one.</summary>
    /// <remarks>As VFIO type 1 v2 does; QEMU relies on it with a virtual IOMMU.</remarks>
    public Refusal CheckUnmap(ulong address, ulong size)
    {
        if (size == 0 || address > ulong.MaxValue - (size - 1))
            return Refusal.Invalid("0x{1:x} bytes at 0x{0:x} are not a valid range", address, size);
        return _dma.Table.IsCutBy(address, address + (size - 1))
            ? Refusal.Invalid("0x{1:x} bytes at 0x{0:x} would cut a region that is mapped", address, size)
            : default;
    }

    /// <summary>Whether a region overlaps a range with valid bounds whose memory is accessed here, and not by messages.</summary>
    public bool HasAnyInPlace(ulong first, ulong last) => _dma.Table.OverlapsInPlace(first, last);

    /// <summary>Unmaps the regions of a range and waits for their users.</summary>
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

    /// <summary>Unmaps the regions of a range that passed <see cref="CheckUnmap"/>. Does not wait for their users.</summary>
    /// <param name="first">First byte of the range.</param>
    /// <param name="last">Its last byte.</param>
    /// <param name="earlier">A drain that must complete too.</param>
    /// <returns>To wait for, and then to pass to <see cref="Drained"/>.</returns>
    public DmaDrain UnmapBetween(ulong first, ulong last, DmaDrain? earlier = null)
    {
        // first the table, then the regions: a thread that has looked a region up either enters it before it is closed, or fails
        _dma.Table = _dma.Table.RemoveBetween(first, last, out GuestRegion[] regions);
        DmaDrain drain = new(regions, earlier);
        drain.Begin();
        // for every region, even if the device throws for one: a lease may hold several
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

    /// <summary>Waits until the unmapped regions are no longer in use, or the server stops.</summary>
    public void Await(DmaDrain drain)
    {
        try
        {
            if (drain.Done.Wait(TimeSpan.Zero, Stopping))
                return;
            // send earlier replies: a virtual CPU that waits for one must not wait for the device, too
            messages.BeforeWaiting();
            while (!drain.Done.Wait(WarningInterval, Stopping))
                Waits(drain);
        }
        catch (OperationCanceledException)
        {
            // the server stops: a region still in use is released by its last user
            foreach (DmaRegion region in drain.InUse)
                observer.UnmapAbandoned(region);
        }
    }

    /// <summary>Logs that an unmap is still waiting.</summary>
    public void Waits(DmaDrain drain)
    {
        if (drain.InUse.FirstOrDefault() is { } region)
            observer.UnmapWaits(region);
    }

    /// <summary>The wait for the users of unmapped regions is over.</summary>
    public void Drained(DmaDrain drain)
    {
        foreach (GuestRegion region in drain.Regions)
            Dirty.Remove(region);
    }

    public void UnmapAll() => Await(UnmapBetween(0, ulong.MaxValue));

    /// <summary>Unmaps the windows that were kept for a later map.</summary>
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
            // the client receives an error, so the region must not stay mapped
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
                backing = DmaBacking.FileIo; // slower, but no risk to the process
        }
        GuestFile? kept = backing == DmaBacking.FileIo ? Files.TryKeep(file!, facts) : null;
        if (backing == DmaBacking.FileIo && kept is null)
            return new Refusal(Errno.ENOSPC, "the process keeps as many descriptors for DMA regions as it may");
        // not needed to access the memory; without one, it has none to give
        GuestFile? toShare = _dma.KeepsDescriptors && kept is null && (facts.IsRegular || (trustClient && file is not null)) ? Files.TryKeep(file!, facts) : null;
        if (backing != DmaBacking.Mapped)
            _notMapped.Tell(map, file is null ? null : facts, backing, mayMap);
        DmaRegion description = new(new Iova(map.Address), map.Size, (map.Flags & DmaMapFlags.Readable) != 0, (map.Flags & DmaMapFlags.Writeable) != 0, backing);
        DmaMeter meter = observer.MeterOf(backing);
        region = backing switch
        {
            DmaBacking.Mapped => new MappedGuestRegion(description, window!, map.Offset) { Meter = meter, File = toShare, FileOffset = map.Offset },
            DmaBacking.FileIo => new FileGuestRegion(description, kept!, map.Offset) { Meter = meter },
            _ => new MessageGuestRegion(description, messages) { Meter = meter, File = toShare, FileOffset = map.Offset },
        };
        return default;
    }

    // If a client truncates a mapped file, the next access raises SIGBUS and kills this process. So a file is mapped only if it
    // is sealed against shrinking, or the client is trusted. The seal does not protect huge pages: after a hole is punched,
    // there may be no free huge page to fill it. A seal is permanent, so a file that is mapped already needs no second check.
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
            return Refusal.Invalid("the descriptor cannot be examined");
        bool systemCalls = (map.Flags & DmaMapFlags.FileIo) != 0 && (map.Flags & DmaMapFlags.Mmap) == 0;
        // a read or write of a device or a pipe may block for ever
        if (!facts.IsRegular && !trustClient)
            return systemCalls ? Refusal.Invalid("file I/O needs a regular file") : default;
        backing = DmaBacking.FileIo;
        // the length is not checked: some files for system calls report none, such as /proc/PID/mem
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
