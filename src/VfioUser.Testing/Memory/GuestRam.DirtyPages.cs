namespace VfioUser.Testing;

/// <content>Dirty page tracking.</content>
public sealed partial class GuestRam
{
    private volatile DirtyPageSet? _deviceWrites;
    private volatile DirtyPageSet? _guestWrites;

    private bool IsLogging => _deviceWrites is not null;

    /// <summary>Starts logging the device's writes: the server logs those to shared memory, the guest those by DMA_WRITE messages.
    /// Spec: VFIO_DEVICE_FEATURE_DMA_LOGGING_START.</summary>
    public void StartDirtyLog()
    {
        _guestWrites = new DirtyPageSet(Size);
        _deviceWrites = new DirtyPageSet(Size);
        if (IsShared)
            _client.StartDirtyPages(PageSize);
    }

    /// <summary>Stops logging.</summary>
    public void StopDirtyLog()
    {
        if (IsShared && IsLogging)
            _client.StopDirtyPages();
        (_deviceWrites, _guestWrites) = (null, null);
    }

    /// <summary>Takes the pages that the device has written since the last call. Spec: VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT.</summary>
    /// <returns>The address of each page of <see cref="PageSize"/>, in order.</returns>
    /// <exception cref="InvalidOperationException">Nothing is logged.</exception>
    public IReadOnlyList<Iova> TakeDirtyPages()
    {
        DirtyPageSet log = _deviceWrites ?? throw new InvalidOperationException($"Nothing is logged: call {nameof(StartDirtyLog)} first.");
        if (IsShared && IsMapped)
            log.Mark(_client.GetDirtyPages(Address.Value, Size, PageSize));
        return [.. log.Take().Select(page => Address + (ulong)page * PageSize)];
    }

    /// <summary>As <see cref="TakeDirtyPages"/>, with the pages that the guest itself wrote.</summary>
    internal IReadOnlyCollection<Iova> TakeAllDirtyPages() =>
        [.. TakeDirtyPages().Union(_guestWrites!.Take().Select(page => Address + (ulong)page * PageSize))];

    internal void CopyPage(Iova page, GuestRam target) => Slice(page, PageSize).CopyTo(target.Slice(page, PageSize));

    /// <summary>The first page that is not the same in both; null when there is none.</summary>
    internal Iova? FirstDifference(GuestRam other)
    {
        for (ulong offset = 0; offset < Length; offset += PageSize)
        {
            if (!Slice(Address + offset, PageSize).SequenceEqual(other.Slice(Address + offset, PageSize)))
                return Address + offset;
        }
        return null;
    }
}
