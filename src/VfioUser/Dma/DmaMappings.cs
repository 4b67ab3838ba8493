using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>What a client maps and unmaps. Decides how each region is reached, so that no client can harm this process.</summary>
/// <remarks>Command thread. Readers go by <see cref="Dma.Table"/>.</remarks>
internal sealed class DmaMappings(PciDevice device, DmaChannel channel, int maxMaps, bool trustClient, long maxDirtyBitmap, ServerLog log)
    : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private readonly Dma _dma = device.Dma;
    private readonly NotMapped _notMapped = new(log);

    /// <summary>Which pages the device writes.</summary>
    public DirtyPagesLog Dirty { get; } = new(device.Dma, maxDirtyBitmap, log);

    /// <summary>Cancelled when the server stops: an unmap then waits no longer.</summary>
    public CancellationToken Stopping { get; init; }

    /// <summary>Told of what the device throws when memory goes: the client has nothing to do with that.</summary>
    public Action<Exception>? UnmappingThrew { get; init; }

    /// <summary>What all clients of this process may use up together.</summary>
    public DmaBudget Budget { get; init; } = DmaBudget.OfProcess;

    /// <summary>Says how long a mapping that no region needs is kept.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    private DmaWindows Windows => field ??= new DmaWindows(Budget, Time);

    private DmaDescriptors Descriptors => field ??= new DmaDescriptors(Budget);

    /// <summary>Whether there is room for a region whose bounds are sound.</summary>
    public Errno Check(in DmaMap map)
    {
        if (_dma.Table.Overlaps(map.Address, map.Address + (map.Size - 1)))
            return Errno.EEXIST;
        return _dma.Table.Count < maxMaps ? Errno.None : Errno.EINVAL;
    }

    /// <summary>Maps a region whose bounds are sound. Takes over the file.</summary>
    public Errno Map(in DmaMap map, SafeFileHandle? file)
    {
        DmaMapping? mapping = null;
        Errno errno = Check(map);
        if (errno == Errno.None)
            errno = Open(map, file, out mapping);
        if (mapping is null)
        {
            file?.Dispose();
        }
        else if (!Dirty.TryAdd(mapping))
        {
            mapping.Close();
            errno = Errno.ENOMEM;
        }
        else
        {
            Publish(mapping);
        }
        return errno;
    }

    /// <summary>Whether a range can be unmapped: any number of regions in it, none as well, but no part of one.</summary>
    /// <remarks>As VFIO type 1 v2 does it, and QEMU counts on it where there is a virtual IOMMU.</remarks>
    public Errno CheckUnmap(ulong address, ulong size)
    {
        if (size == 0 || address > ulong.MaxValue - (size - 1))
            return Errno.EINVAL;
        return _dma.Table.IsCutBy(address, address + (size - 1)) ? Errno.EINVAL : Errno.None;
    }

    /// <summary>Whether any region has a byte in a range whose bounds are valid.</summary>
    public bool HasAny(ulong first, ulong last) => _dma.Table.Overlaps(first, last);

    /// <summary>Unmaps the regions in a range, if it can be unmapped.</summary>
    public Errno Unmap(ulong address, ulong size)
    {
        Errno errno = CheckUnmap(address, size);
        if (errno == Errno.None)
            Close(address, address + (size - 1));
        return errno;
    }

    /// <summary>Unmaps the regions in a range that <see cref="CheckUnmap"/> found nothing wrong with.</summary>
    public void UnmapBetween(ulong first, ulong last) => Close(first, last);

    /// <summary>Unmaps the regions in such a range and reports what the device wrote to them until it could not any more.</summary>
    public void Unmap(in DirtyPagesReport report)
    {
        foreach (DmaMapping mapping in Close(report.First, report.Last))
            mapping.Dirty?.Take(mapping.Start, mapping.Last, report);
    }

    public void UnmapAll() => Close(0, ulong.MaxValue);

    /// <summary>The session is over: what was kept for the next map goes.</summary>
    public void Dispose() => Windows.Dispose();

    // Table first, then the users: whoever looked the region up before still gets in or is turned away by itself.
    private DmaMapping[] Close(ulong first, ulong last)
    {
        _dma.Table = _dma.Table.RemoveBetween(first, last, out DmaMapping[] mappings);
        foreach (DmaMapping mapping in mappings)
            mapping.Close();
        // every one is told and waited for, whatever the device throws: a lease may hold several
        foreach (DmaMapping mapping in mappings)
        {
            try
            {
                device.DmaUnmapping(mapping.Region);
            }
            catch (Exception e)
            {
                UnmappingThrew?.Invoke(e);
            }
        }
        foreach (DmaMapping mapping in mappings)
        {
            AwaitDrained(mapping);
            Dirty.Remove(mapping);
        }
        return mappings;
    }

    private void AwaitDrained(DmaMapping mapping)
    {
        try
        {
            if (mapping.WaitDrained(TimeSpan.Zero, Stopping))
                return;
            // a virtual CPU that waits for an earlier reply must not wait for the device as well
            channel.BeforeWaiting();
            while (!mapping.WaitDrained(Patience, Stopping))
                log.UnmapWaits(mapping.Region.Address, mapping.Region.Length);
        }
        catch (OperationCanceledException)
        {
            // the server stops: whoever still holds the region lets it go when it is done
            log.UnmapAbandoned(mapping.Region.Address, mapping.Region.Length);
        }
    }

    private void Publish(DmaMapping mapping)
    {
        _dma.Table = _dma.Table.Add(mapping);
        log.Mapped(mapping.Region.Address, mapping.Region.Length, mapping.Region.Way);
        try
        {
            device.DmaMapped(mapping.Region);
        }
        catch
        {
            // the client will read that nothing is mapped
            Close(mapping.Start, mapping.Last);
            throw;
        }
    }

    private Errno Open(in DmaMap map, SafeFileHandle? file, out DmaMapping? mapping)
    {
        mapping = null;
        bool readable = (map.Flags & DmaMapFlags.Readable) != 0;
        bool writable = (map.Flags & DmaMapFlags.Writeable) != 0;
        Errno errno = Choose(map, file, out FileFacts facts, out DmaWay way, out DmaWindow? window);
        if (errno != Errno.None)
            return errno;
        bool mayMap = way == DmaWay.Mapped;
        if (way == DmaWay.Mapped)
        {
            window ??= Windows.TryOpen(file!, facts, map, out errno);
            if (errno != Errno.None)
                return errno;
            if (window is null)
                way = DmaWay.FileIo; // slower, and the process lives
        }
        DmaDescriptor? descriptor = way == DmaWay.FileIo ? Descriptors.TryKeep(file!, facts) : null;
        if (way == DmaWay.FileIo && descriptor is null)
            return Errno.ENOSPC;
        if (way != DmaWay.Mapped)
            _notMapped.Tell(map, file is null ? null : facts, way, mayMap);
        DmaRegion region = new(new Iova(map.Address), map.Size, readable, writable, way);
        DmaMeter meter = log.Metrics.Of(way);
        switch (way)
        {
            case DmaWay.Mapped:
                file!.Dispose(); // the window holds the file by itself
                mapping = new MappedDma(region, window!, map.Offset) { Meter = meter };
                return Errno.None;
            case DmaWay.FileIo:
                mapping = new FileDma(region, descriptor!, map.Offset) { Meter = meter };
                return Errno.None;
            default:
                file?.Dispose();
                mapping = new MessageDma(region, channel) { Meter = meter };
                return Errno.None;
        }
    }

    // A page that a client can take away from under a mapping kills the process that touches it (SIGBUS), so what is
    // mapped is sealed against shrinking, or its sender is trusted. A huge page can be taken away in spite of the seal:
    // by a hole in the file, when there are no more of them to fill it. A seal never comes off again, so what is
    // mapped already is not asked for it.
    private Errno Choose(in DmaMap map, SafeFileHandle? file, out FileFacts facts, out DmaWay way, out DmaWindow? window)
    {
        facts = default;
        way = DmaWay.Message;
        window = null;
        if (file is null)
            return Errno.None;
        if (map.Offset > long.MaxValue || map.Size > long.MaxValue - map.Offset
            || !FileCalls.TryDescribe(file, out facts))
            return Errno.EINVAL;
        bool systemCalls = (map.Flags & DmaMapFlags.FileIo) != 0 && (map.Flags & DmaMapFlags.Mmap) == 0;
        // a system call on a device or a queue may never come back
        if (!facts.IsRegular && !trustClient)
            return systemCalls ? Errno.EINVAL : Errno.None;
        way = DmaWay.FileIo;
        // some files that are meant for system calls have no size, such as /proc/PID/mem
        if (systemCalls)
            return Errno.None;
        if (facts.IsRegular && map.Offset + map.Size > facts.Length)
            return Errno.EINVAL;
        window = Windows.TryEnter(file, facts, map);
        if (trustClient || window is not null)
            way = DmaWay.Mapped;
        else if (facts.IsHuge)
            way = DmaWay.Message;
        else if (FileCalls.IsSealedAgainstShrinking(file))
            way = DmaWay.Mapped;
        return Errno.None;
    }
}
