using System.Collections;
using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;

namespace VfioUser.Client;

/// <summary>The sub-regions of a region that can be accessed through descriptors. Owns the descriptors. Immutable until it is disposed.</summary>
/// <remarks>Spec: VFIO_USER_DEVICE_GET_REGION_IO_FDS.</remarks>
public sealed class ClientIoFds : IReadOnlyList<ClientIoFd>, IDisposable
{
    private const uint NoFd = uint.MaxValue; // libvfio-user's value for none

    private readonly List<ClientIoFd> _entries = [];
    private readonly SafeFileHandle[] _fds;

    private ClientIoFds(uint region, SafeFileHandle[] fds)
    {
        Region = region;
        _fds = fds;
    }

    /// <summary>Index of the region.</summary>
    public uint Region { get; }

    /// <summary>How many entries there are.</summary>
    public int Count => _entries.Count;

    /// <summary>The descriptors, in the order of the reply.</summary>
    public IReadOnlyList<SafeFileHandle> Fds => _fds;

    /// <summary>An entry, in the server's order.</summary>
    public ClientIoFd this[int index] => _entries[index];

    /// <summary>All entries in the server's order.</summary>
    public IEnumerator<ClientIoFd> GetEnumerator() => _entries.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>Closes the descriptors.</summary>
    public void Dispose()
    {
        foreach (SafeFileHandle fd in _fds)
            fd.Dispose();
    }

    /// <summary>Parses a complete reply and takes its descriptors.</summary>
    /// <exception cref="VfioUserException">EBADMSG: it contradicts itself, or an entry lies outside the region.</exception>
    internal static ClientIoFds Parse(in RegionIoFds info, ulong regionSize, ReadOnlySpan<byte> payload, FdList? fds)
    {
        SafeFileHandle[] taken = new SafeFileHandle[fds?.Count ?? 0];
        for (int i = 0; i < taken.Length; i++)
            taken[i] = fds!.Take(i);
        ClientIoFds result = new(info.Index, taken);
        try
        {
            if (info.Count > 0)
                result.AddEntries(info, regionSize, payload[RegionIoFds.WireSize..]);
            return result;
        }
        catch
        {
            result.Dispose();
            throw;
        }
    }

    // The size of an entry is not fixed: it follows from argsz and count. The specification subtracts 32 from argsz there,
    // but only 16 bytes precede the entries.
    private void AddEntries(in RegionIoFds info, ulong regionSize, ReadOnlySpan<byte> entries)
    {
        uint size = (info.Argsz - RegionIoFds.WireSize) / info.Count;
        Check(size >= IoEventFd.WireSize && (ulong)size * info.Count <= (ulong)entries.Length);
        for (int i = 0; i < (int)info.Count; i++)
            _entries.Add(Entry(entries.Slice(i * (int)size, (int)size), regionSize));
    }

    private ClientIoFd Entry(ReadOnlySpan<byte> bytes, ulong regionSize)
    {
        IoEventFd entry = WireFormat.Read<IoEventFd>(bytes);
        Check(entry.Offset < regionSize && entry.Size <= regionSize - entry.Offset);
        SafeFileHandle? fd = FdAt(entry.FdIndex);
        // the longer entries are libvfio-user's, in which an eventfd has its last fields elsewhere
        if (bytes.Length < IoEventFdShadow.WireSize || entry.Type is not (IoFdType.IoEventFd or IoFdType.IoEventFdShadow))
        {
            Check(entry.Type != IoFdType.IoEventFdShadow);
            return new ClientIoFd(entry.Type, entry.Offset, entry.Size, fd, (uint)entry.Flags, entry.Datamatch);
        }
        IoEventFdShadow shadow = WireFormat.Read<IoEventFdShadow>(bytes);
        bool hasShadow = shadow.Type == IoFdType.IoEventFdShadow;
        return new ClientIoFd(shadow.Type, shadow.GpaOffset, shadow.Size, fd, (uint)shadow.Flags, shadow.Datamatch)
        {
            ShadowFd = hasShadow ? FdAt(shadow.ShadowMemFdIndex) : null,
            ShadowOffset = hasShadow ? shadow.ShadowOffset : 0,
        };
    }

    private SafeFileHandle? FdAt(uint index)
    {
        if (index == NoFd)
            return null;
        Check(index < (uint)_fds.Length);
        return _fds[index];
    }

    private static void Check(bool valid)
    {
        if (!valid)
            throw new VfioUserException(Command.DeviceGetRegionIoFds, Errno.EBADMSG);
    }
}
