using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>Where the files of a session's DMA regions are mapped: each once for each protection, however many regions there are of it.</summary>
/// <remarks>
/// Windows are opened and entered by the command thread, released by any. Nothing is shared between sessions.
/// <code>
/// file      |........................|        its length: what a region may lie in
/// window    |...............................| to the next power of two, at most <see cref="Granule"/>: the file may grow
/// regions      |..|    |.|   |....|
/// </code>
/// A page behind the file's end must not be touched, and no region has one: each is checked against the length that the
/// file has by then, and what is mapped does not shrink. A window that no region holds stays for a second, for a
/// guest behind a virtual IOMMU maps and unmaps the same pages for every transfer; not longer, since it keeps memory that the
/// client may have taken away from the guest.
/// </remarks>
/// <param name="budget">What all clients of this process may use up.</param>
/// <param name="time">Says when a second is over.</param>
internal sealed class FileWindows(DmaBudget budget, TimeProvider time) : IDisposable
{
    /// <summary>A window begins and ends where the file's offset is a multiple of this, or at the end of the file; one of a larger region is larger.</summary>
    public const ulong Granule = 16ul << 30;

    /// <summary>How many windows without regions a session may keep.</summary>
    public const int MaxIdle = 16;

    /// <summary>How long a window without regions is kept; up to twice as long.</summary>
    public static readonly TimeSpan KeptFor = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private readonly Dictionary<FileId, List<FileWindow>> _files = [];
    private readonly List<FileWindow> _idle = []; // the longest first
    private ITimer? _timer;
    private bool _isTimed;
    private bool _disposed;

    /// <summary>The window that a range of a file is mapped in already, for one more region; or null.</summary>
    public FileWindow? TryEnter(SafeFileHandle file, in FileFacts facts, in DmaMap map)
    {
        lock (_lock)
        {
            if (!_files.TryGetValue(facts.Id, out List<FileWindow>? windows))
                return null;
            // the newest first: of a file that grew it is the largest
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

    /// <summary>Maps a range of a file, and as much around it as may be of use for others.</summary>
    /// <returns>Null when the system refuses: <paramref name="errno"/> says why; or when there is no room in this process: then it is None.</returns>
    public FileWindow? TryOpen(SafeFileHandle file, in FileFacts facts, in DmaMap map, out Errno errno)
    {
        // the sizes of a file of huge pages, and of what is no file at all, mean something else
        if (facts.IsRegular && !facts.IsHuge && FileCalls.IsKnownByInode(file))
        {
            ulong start = map.Offset / Granule * Granule;
            ulong length = WindowLength(map.Offset + map.Size - start, facts.Length - start);
            if (TryMap(file, facts, map, start, length, isShared: true, out errno) is { } shared)
                return shared;
        }
        // a mapping of its own: it needs less room, and the system says of it what it says
        return TryMap(file, facts, map, map.Offset, map.Size, isShared: false, out errno);
    }

    /// <summary>A region has let go of a window. Any thread.</summary>
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

    /// <summary>The session is over: what is released now is unmapped at once.</summary>
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

    // Both count from the start of the window, and the file is not shorter than what is needed.
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
                errno = Errno.None; // it can be read and written all the same
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

    // True if there were any.
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
        // from now on the number may be another file's
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
