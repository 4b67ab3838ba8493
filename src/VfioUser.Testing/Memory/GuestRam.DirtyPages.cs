namespace VfioUser.Testing;

/// <content>Which pages were written.</content>
public sealed partial class GuestRam
{
    private volatile WrittenPages? _deviceWrites;
    private volatile WrittenPages? _guestWrites;

    private bool IsLogging => _deviceWrites is not null;

    /// <summary>Has written pages logged from now on, whichever way the device writes them: the server logs what is shared with
    /// it, the guest what comes by message. Spec: VFIO_DEVICE_FEATURE_DMA_LOGGING_START.</summary>
    public void StartDirtyLog()
    {
        _guestWrites = new WrittenPages(Size);
        _deviceWrites = new WrittenPages(Size);
        if (IsShared)
            _client.StartDirtyPages(PageSize);
    }

    /// <summary>Ends the log.</summary>
    public void StopDirtyLog()
    {
        if (IsShared && IsLogging)
            _client.StopDirtyPages();
        (_deviceWrites, _guestWrites) = (null, null);
    }

    /// <summary>Takes what the device has written since the last time. Spec: VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT.</summary>
    /// <returns>Where each page of <see cref="PageSize"/> begins, in order.</returns>
    /// <exception cref="InvalidOperationException">Nothing is logged.</exception>
    public IReadOnlyList<Iova> TakeDirtyPages()
    {
        WrittenPages log = _deviceWrites ?? throw new InvalidOperationException($"Nothing is logged: call {nameof(StartDirtyLog)} first.");
        if (IsShared && IsMapped)
            log.Mark(_client.GetDirtyPages(Address.Value, Size, PageSize));
        return [.. log.Take().Select(page => Address + (ulong)page * PageSize)];
    }

    /// <summary>As <see cref="TakeDirtyPages"/>, with the pages that the guest itself wrote.</summary>
    internal IReadOnlyCollection<Iova> TakeAllWrittenPages() =>
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
