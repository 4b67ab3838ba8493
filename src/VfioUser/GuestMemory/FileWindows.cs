using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>The mappings of a session's files: DMA regions in the same part of a file, with the same protection, share one.</summary>
/// <remarks>
/// Windows are opened and entered on the Command thread, released on any. Sessions share nothing.
/// <code>
/// file      |........................|        a region must lie in it
/// window    |...............................| rounded up to a power of two, at most <see cref="Granule"/>: the file may grow
/// regions      |..|    |.|   |....|
/// </code>
/// Pages behind the end of the file must not be accessed. No region has one: each is checked against the length of the file
/// when it is mapped, and a mapped file does not shrink. A window without regions is kept for a second, since a guest behind a
/// virtual IOMMU maps and unmaps the same pages for every transfer; not longer, since it keeps memory alive that the client may
/// have removed from the guest.
/// </remarks>
/// <param name="budget">Limits all clients of this process together.</param>
/// <param name="time">Clock for the expiry of unused windows.</param>
internal sealed class FileWindows(DmaBudget budget, TimeProvider time) : IDisposable
{
    /// <summary>Windows start at multiples of this file offset, and end at one or, rounded up, at the end of the file. The window
    /// of a larger region spans several. In bytes.</summary>
    public const ulong Granule = 16ul << 30;

    /// <summary>Most windows without regions that a session keeps.</summary>
    public const int MaxIdle = 16;

    /// <summary>How long a window without regions is kept; at most twice as long.</summary>
    public static readonly TimeSpan KeptFor = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private readonly Dictionary<FileId, List<FileWindow>> _files = [];
    private readonly List<FileWindow> _idle = []; // longest idle first
    private ITimer? _timer;
    private bool _isTimed;
    private bool _disposed;

    /// <summary>Finds a window that covers a range of a file, and adds a region to it; null if there is none.</summary>
    public FileWindow? TryEnter(SafeFileHandle file, in FileFacts facts, in DmaMap map)
    {
        lock (_lock)
        {
            if (!_files.TryGetValue(facts.Id, out List<FileWindow>? windows))
                return null;
            // newest first: if the file has grown, it is the largest
            for (int i = windows.Count - 1; i >= 0; i--)
            {
                FileWindow window = windows[i];
                if (window.IsReadable != IsReadable(map) || window.IsWritable != IsWritable(map) || !window.Holds(map.Offset, map.Size))
                    continue;
                if (!FileCalls.MayMap(file, window.IsWritable))
                    return null;
                if (window.Regions++ == 0)
                    _idle.Remove(window);
                return window;
            }
            return null;
        }
    }

    /// <summary>Maps a range of a file, extended so that other regions can share the mapping.</summary>
    /// <returns>Null on failure: <paramref name="errno"/> is the system's, or None when the budget or the address space is used
    /// up and the file can be accessed with system calls instead.</returns>
    public FileWindow? TryOpen(SafeFileHandle file, in FileFacts facts, in DmaMap map, out Errno errno)
    {
        // the length that a hugetlbfs file or a special file reports does not bound what can be mapped
        if (facts.IsRegular && !facts.IsHuge && FileCalls.IsKnownByInode(file))
        {
            ulong start = map.Offset / Granule * Granule;
            ulong length = WindowLength(map.Offset + map.Size - start, facts.Length - start);
            if (TryMap(file, facts, map, start, length, isShared: true, out errno) is { } shared)
                return shared;
        }
        // exactly the region: it needs less address space, and its errno is the one to report
        return TryMap(file, facts, map, map.Offset, map.Size, isShared: false, out errno);
    }

    /// <summary>A region stops using a window. Any thread.</summary>
    public void Release(FileWindow window)
    {
        FileWindow? last = null;
        lock (_lock)
        {
            if (--window.Regions > 0)
                return;
            if (window.File is null)
            {
                last = window;
            }
            else
            {
                window.IdleSince = time.GetTimestamp();
                _idle.Add(window);
                if (_disposed || _idle.Count > MaxIdle)
                    last = EvictLongestIdle();
                else if (!_isTimed)
                    StartTimer();
            }
        }
        if (last is not null)
            Unmap(last);
    }

    /// <summary>Unmaps unused windows; those released later are unmapped at once.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            _disposed = true;
            _timer?.Dispose();
        }
        UnmapIdle(TimeSpan.Zero);
    }

    private static bool IsReadable(in DmaMap map) => (map.Flags & DmaMapFlags.Readable) != 0;

    private static bool IsWritable(in DmaMap map) => (map.Flags & DmaMapFlags.Writeable) != 0;

    // Both lengths count from the start of the window; the file is at least as long as needed.
    private static ulong WindowLength(ulong needed, ulong file)
    {
        ulong whole = (needed + Granule - 1) / Granule * Granule;
        if (file >= whole)
            return whole;
        ulong roundedUp = System.Numerics.BitOperations.RoundUpToPowerOf2(file);
        return Math.Min(whole, Math.Max(roundedUp, (ulong)Environment.SystemPageSize));
    }

    private FileWindow? TryMap(SafeFileHandle file, in FileFacts facts, in DmaMap map, ulong start, ulong length, bool isShared, out Errno errno)
    {
        errno = Errno.None;
        if (!budget.TryTakeMapping(length) && !(UnmapIdle(TimeSpan.Zero) && budget.TryTakeMapping(length)))
            return null;
        MappedMemory? memory = MappedMemory.TryMap(file, start, length, IsReadable(map), IsWritable(map), out errno, facts.PageSize);
        if (memory is null)
        {
            budget.GiveMappingBack(length);
            if (errno == Errno.ENOMEM && facts.IsRegular && !facts.IsHuge)
                errno = Errno.None; // system calls still work
            return null;
        }
        FileWindow window = new(this, memory, start, length)
        {
            File = isShared ? facts.Id : null,
            IsReadable = IsReadable(map),
            IsWritable = IsWritable(map),
        };
        if (isShared)
        {
            lock (_lock)
            {
                if (!_files.TryGetValue(facts.Id, out List<FileWindow>? windows))
                    _files.Add(facts.Id, windows = []);
                windows.Add(window);
            }
        }
        return window;
    }

    // True if any were unmapped.
    private bool UnmapIdle(TimeSpan since)
    {
        List<FileWindow> leaving = [];
        lock (_lock)
        {
            long now = time.GetTimestamp();
            while (_idle.Count > 0 && time.GetElapsedTime(_idle[0].IdleSince, now) >= since)
                leaving.Add(EvictLongestIdle());
        }
        leaving.ForEach(Unmap);
        return leaving.Count > 0;
    }

    private FileWindow EvictLongestIdle()
    {
        FileWindow window = _idle[0];
        _idle.RemoveAt(0);
        // once it is unmapped, the inode number may be reused by another file
        List<FileWindow> windows = _files[window.File!.Value];
        windows.Remove(window);
        if (windows.Count == 0)
            _files.Remove(window.File.Value);
        return window;
    }

    private void Unmap(FileWindow window)
    {
        window.Unmap();
        budget.GiveMappingBack(window.Charged);
    }

    private void StartTimer()
    {
        _isTimed = true;
        if (_timer is null)
            _timer = time.CreateTimer(static windows => ((FileWindows)windows!).OnTime(), this, KeptFor, Timeout.InfiniteTimeSpan);
        else
            _timer.Change(KeptFor, Timeout.InfiniteTimeSpan);
    }

    private void OnTime()
    {
        UnmapIdle(KeptFor);
        lock (_lock)
        {
            _isTimed = false;
            if (_idle.Count > 0 && !_disposed)
                StartTimer();
        }
    }
}
