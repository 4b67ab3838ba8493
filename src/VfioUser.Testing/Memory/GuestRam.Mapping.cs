using VfioUser.Client;
using VfioUser.Protocol;

namespace VfioUser.Testing;

/// <content>What the device may touch.</content>
public sealed partial class GuestRam
{
    private VfioUserClient _client = null!;
    private volatile bool _mapped;

    /// <summary>Whether the memory is open to the device. It is when the guest attaches.</summary>
    public bool IsMapped => _mapped;

    private bool IsShared => Kind is GuestMemoryKind.Mapped or GuestMemoryKind.FileIo;

    /// <summary>Opens the memory to the device again.</summary>
    /// <exception cref="VfioUserException">The device refused, or it is mapped already.</exception>
    public void Map()
    {
        DmaMapFlags way = Kind == GuestMemoryKind.FileIo ? DmaMapFlags.FileIo : DmaMapFlags.None;
        _mapped = true; // the device may use it before this side is told
        try
        {
            _client.MapDma(
                new DmaMap(DmaMap.WireSize, DmaMapFlags.Readable | DmaMapFlags.Writeable | way, 0, Address.Value, Size),
                IsShared ? File : null);
        }
        catch
        {
            _mapped = false;
            throw;
        }
    }

    /// <summary>Closes the memory to the device: when this returns it touches it no more, and its accesses fail.</summary>
    /// <exception cref="VfioUserException">The device refused, or did not let go of it in time.</exception>
    public void Unmap()
    {
        if (IsShared && IsLogging)
            _deviceWrites!.Mark(_client.UnmapDmaWithDirtyPages(Address.Value, Size, PageSize));
        else
            _client.UnmapDma(Address.Value, Size);
        _mapped = false;
    }

    /// <summary>As <see cref="Unmap"/>, on a thread of its own: for memory that the device uses at that moment.</summary>
    public Task UnmapAsync() =>
        Task.Factory.StartNew(Unmap, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    internal void MapInto(VfioUserClient client)
    {
        _client = client;
        Map();
    }

    internal void MapAgain(VfioUserClient client)
    {
        // the log was the server's, and went with the connection
        (_client, _deviceWrites, _guestWrites) = (client, null, null);
        if (IsMapped)
            Map();
    }

    /// <summary>What the guest of another host has when it starts there: the same allocations, and the same mapping.</summary>
    internal void ContinueFrom(GuestRam source)
    {
        lock (_lock)
            _allocated = source._allocated;
        if (!source.IsMapped)
            Unmap();
    }
}
