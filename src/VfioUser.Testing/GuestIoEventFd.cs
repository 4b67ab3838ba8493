using VfioUser.Client;
using VfioUser.Protocol;

namespace VfioUser.Testing;

/// <summary>An ioeventfd that the guest signals, in place of KVM.</summary>
public sealed class GuestIoEventFd : IDisposable
{
    private readonly EventFd? _eventFd;
    private readonly SharedMemory? _shadow;

    internal GuestIoEventFd(ClientIoFd entry)
    {
        Entry = entry;
        // entries may share a descriptor, and each EventFd owns one
        _eventFd = entry.Fd is null ? null : new EventFd(Protocol.Interop.FileCalls.Duplicate(entry.Fd));
        if (entry.ShadowFd is { } file)
            _shadow = SharedMemory.Map(Protocol.Interop.FileCalls.Duplicate(file), entry.ShadowOffset, sizeof(ulong));
    }

    /// <summary>The server's description.</summary>
    public ClientIoFd Entry { get; }

    /// <summary>Whether a write of the guest signals it, by KVM's rules.</summary>
    public bool Matches(long offset, ReadOnlySpan<byte> source)
    {
        if ((ulong)offset != Entry.Offset || (Entry.Size != 0 && Entry.Size != (ulong)source.Length) || source.Length > sizeof(ulong))
            return false;
        Span<byte> value = stackalloc byte[sizeof(ulong)];
        value.Clear();
        source.CopyTo(value);
        return Entry.Datamatch is null || Entry.Datamatch == WireFormat.Read<ulong>(value);
    }

    /// <summary>Stores the value in the shadow memory if there is one, then signals the eventfd.</summary>
    /// <param name="source">The bytes that the guest writes, at most 8; without a shadow they are dropped.</param>
    /// <returns>False when it cannot be signalled.</returns>
    /// <remarks>The device may not have handled it when this returns.</remarks>
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
