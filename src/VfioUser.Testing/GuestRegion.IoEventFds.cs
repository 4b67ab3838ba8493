using System.Numerics;
using System.Runtime.InteropServices;
using VfioUser.Client;

namespace VfioUser.Testing;

/// <content>Doorbells by ioeventfd.</content>
public sealed partial class GuestRegion
{
    private ClientIoFds? _ioFds;
    private GuestIoEventFd[]? _ioEventFds;

    /// <summary>The region's ioeventfds, requested by the first call; valid as long as the connection.</summary>
    public IReadOnlyList<GuestIoEventFd> GetIoEventFds()
    {
        if (_ioEventFds is null)
        {
            _ioFds = _guest.Client.GetRegionIoFds((uint)Index);
            _ioEventFds = [.. _ioFds.Where(entry => entry.IsEventFd).Select(entry => new GuestIoEventFd(entry))];
        }
        return _ioEventFds;
    }

    /// <summary>Writes to a doorbell as a guest under KVM does: signals an ioeventfd if one matches, else posts a write.</summary>
    /// <returns>Whether an ioeventfd was signalled. Then the device handles it on another thread, some time after this returns.</returns>
    public bool Ring<T>(long offset, T value)
        where T : unmanaged, IBinaryInteger<T>, IUnsignedNumber<T>
    {
        ReadOnlySpan<byte> source = MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value));
        foreach (GuestIoEventFd eventFd in GetIoEventFds())
        {
            if (eventFd.Matches(offset, source))
                return eventFd.Ring(source);
        }
        _guest.Client.PostRegionWrite((uint)Index, (ulong)offset, source);
        return false;
    }

    internal void Close()
    {
        foreach (GuestIoEventFd eventFd in _ioEventFds ?? [])
            eventFd.Dispose();
        _ioFds?.Dispose();
        (_ioFds, _ioEventFds) = (null, null);
    }
}
