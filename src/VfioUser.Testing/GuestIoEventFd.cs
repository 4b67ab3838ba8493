using VfioUser.Client;
using VfioUser.Protocol;

namespace VfioUser.Testing;

/// <summary>An eventfd by which the guest rings, as KVM does for it.</summary>
public sealed class GuestIoEventFd : IDisposable
{
    private readonly EventFd? _eventFd;
    private readonly SharedMemory? _shadow;

    internal GuestIoEventFd(ClientIoFd entry)
    {
        Entry = entry;
        // an entry shares its descriptor with others, and an owner has one of its own
        _eventFd = entry.Fd is null ? null : new EventFd(Protocol.Interop.FileCalls.Duplicate(entry.Fd));
        if (entry.ShadowFd is { } file)
            _shadow = SharedMemory.Map(Protocol.Interop.FileCalls.Duplicate(file), entry.ShadowOffset, sizeof(ulong));
    }

    /// <summary>What the server says of it.</summary>
    public ClientIoFd Entry { get; }

    /// <summary>Whether a write of the guest's is one that rings here, by KVM's rules.</summary>
    public bool Matches(ulong offset, ReadOnlySpan<byte> source)
    {
        if (offset != Entry.Offset || (Entry.Size != 0 && Entry.Size != (ulong)source.Length) || source.Length > sizeof(ulong))
            return false;
        Span<byte> value = stackalloc byte[sizeof(ulong)];
        value.Clear();
        source.CopyTo(value);
        return Entry.Datamatch is null || Entry.Datamatch == WireFormat.Read<ulong>(value);
    }

    /// <summary>Signals the eventfd, after leaving the value in the shadow memory if there is one.</summary>
    /// <param name="source">What the guest writes, at most 8 bytes; without a shadow it goes nowhere.</param>
    /// <returns>False when it cannot be signalled.</returns>
    /// <remarks>The device has not handled it when this returns.</remarks>
    public bool Ring(ReadOnlySpan<byte> source = default)
    {
        if (_shadow is not null)
            source.CopyTo(_shadow.Slice(0, sizeof(ulong)));
        return _eventFd?.Signal() ?? false;
    }

    /// <summary>Closes its descriptors.</summary>
    public void Dispose()
    {
        _eventFd?.Dispose();
        _shadow?.Dispose();
    }
}
