using VfioUser.Client;
using VfioUser.Protocol;

namespace VfioUser.Testing;

/// <content>Mapping for DMA.</content>
public sealed partial class GuestRam
{
    private VfioUserClient _client = null!;
    private volatile bool _mapped;

    /// <summary>Whether the memory is mapped for DMA, as it is when the guest attaches.</summary>
    public bool IsMapped => _mapped;

    private bool IsShared => Kind is GuestMemoryKind.Mapped or GuestMemoryKind.FileIo;

    /// <summary>Maps the memory for DMA again.</summary>
    /// <exception cref="VfioUserException">The device refused, or it is mapped already.</exception>
    public void Map()
    {
        DmaMapFlags access = Kind == GuestMemoryKind.FileIo ? DmaMapFlags.FileIo : DmaMapFlags.None;
        _mapped = true; // the device may use it before the reply arrives
        try
        {
            _client.MapDma(
                new DmaMap(DmaMap.WireSize, DmaMapFlags.Readable | DmaMapFlags.Writeable | access, 0, Address.Value, Size),
                IsShared ? File : null);
        }
        catch
        {
            _mapped = false;
            throw;
        }
    }

    /// <summary>Unmaps the memory: once this returns, the device does not access it, and its attempts fail.</summary>
    /// <exception cref="VfioUserException">The device refused, or did not release it in time.</exception>
    /// <exception cref="TestGuestException">The device holds it for longer than <see cref="TestGuestOptions.LeaseTimeout"/>, with a lease
    /// or a pin whose origin the message has.</exception>
    public void Unmap()
    {
        Task unmap = UnmapAsync();
        if (!_leaks.Await(unmap))
            throw _leaks.Told("The guest waits for its memory to be unmapped");
        unmap.GetAwaiter().GetResult();
    }

    /// <summary>As <see cref="Unmap"/>, on another thread: for memory that the device is using. Waits for
    /// <see cref="TestGuestOptions.Timeout"/>, also for leases and pins.</summary>
    public Task UnmapAsync() =>
        Task.Factory.StartNew(UnmapNow, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private void UnmapNow()
    {
        if (IsShared && IsLogging)
            _deviceWrites!.Mark(_client.UnmapDmaWithDirtyPages(Address.Value, Size, PageSize));
        else
            _client.UnmapDma(Address.Value, Size);
        _mapped = false;
    }

    internal void MapInto(VfioUserClient client)
    {
        _client = client;
        Map();
    }

    internal void MapAgain(VfioUserClient client)
    {
        // the server's log ended with the connection
        (_client, _deviceWrites, _guestWrites) = (client, null, null);
        if (IsMapped)
            Map();
    }

    /// <summary>Takes over allocations and mapping from the source of a migration.</summary>
    internal void ContinueFrom(GuestRam source)
    {
        lock (_lock)
            _allocated = source._allocated;
        if (!source.IsMapped)
            Unmap();
    }
}
