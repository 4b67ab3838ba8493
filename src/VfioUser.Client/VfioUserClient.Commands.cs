using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;

namespace VfioUser.Client;

/// <content>One method for each command of the specification.</content>
public sealed partial class VfioUserClient
{
    /// <summary>Gets the numbers of regions and interrupt types. Spec: VFIO_USER_DEVICE_GET_INFO.</summary>
    public DeviceInfo GetDeviceInfo() =>
        Ask<DeviceInfo, DeviceInfo>(Command.DeviceGetInfo, new DeviceInfo(DeviceInfo.WireSize, 0, 0, 0));

    /// <summary>Gets a region's size, access and mappable areas. Spec: VFIO_USER_DEVICE_GET_REGION_INFO.</summary>
    /// <returns>To be disposed.</returns>
    public ClientRegion GetRegionInfo(uint index)
    {
        uint argsz = RegionInfo.WireSize;
        ClientRegion? region = TryGetRegionInfo(index, ref argsz);
        // the reply is larger than argsz: request it once more with the size that it needs; fail if it has grown again
        region ??= TryGetRegionInfo(index, ref argsz);
        return region ?? throw new VfioUserException(Command.DeviceGetRegionInfo, Errno.EBADMSG);
    }

    /// <summary>Gets the vectors of an interrupt type. Spec: VFIO_USER_DEVICE_GET_IRQ_INFO.</summary>
    public IrqInfo GetIrqInfo(uint index) =>
        Ask<IrqInfo, IrqInfo>(Command.DeviceGetIrqInfo, new IrqInfo(IrqInfo.WireSize, 0, index, 0));

    /// <summary>Reads from a region. Spec: VFIO_USER_REGION_READ.</summary>
    /// <param name="region">Its index.</param>
    /// <param name="offset">First byte.</param>
    /// <param name="destination">Filled completely. At most what <see cref="Limits"/> allow.</param>
    public void ReadRegion(uint region, ulong offset, Span<byte> destination)
    {
        Span<byte> request = stackalloc byte[RegionAccess.WireSize];
        WireFormat.Write(request, new RegionAccess(offset, region, (uint)destination.Length));
        using Reply reply = Call(Command.RegionRead, request);
        RegionAccess done = Parse<RegionAccess>(Command.RegionRead, reply.Payload);
        ReadOnlySpan<byte> data = reply.Payload[RegionAccess.WireSize..];
        if (done.Count != (uint)destination.Length || data.Length != destination.Length)
            throw new VfioUserException(Command.RegionRead, Errno.EBADMSG);
        data.CopyTo(destination);
    }

    /// <summary>Writes to a region and waits until the server has done it. Spec: VFIO_USER_REGION_WRITE.</summary>
    /// <param name="region">Its index.</param>
    /// <param name="offset">First byte.</param>
    /// <param name="source">At most what <see cref="Limits"/> allow.</param>
    public void WriteRegion(uint region, ulong offset, ReadOnlySpan<byte> source)
    {
        Span<byte> request = stackalloc byte[RegionAccess.WireSize];
        WireFormat.Write(request, new RegionAccess(offset, region, (uint)source.Length));
        using Reply reply = Call(Command.RegionWrite, request, source);
        if (Parse<RegionAccess>(Command.RegionWrite, reply.Payload).Count != (uint)source.Length)
            throw new VfioUserException(Command.RegionWrite, Errno.EBADMSG);
    }

    /// <summary>Writes to a region without waiting for a reply, as QEMU does. The server carries it out before later commands.</summary>
    /// <exception cref="VfioUserException">The server has disconnected, or does not read.</exception>
    /// <inheritdoc cref="WriteRegion"/>
    public void PostRegionWrite(uint region, ulong offset, ReadOnlySpan<byte> source)
    {
        Span<byte> request = stackalloc byte[RegionAccess.WireSize];
        WireFormat.Write(request, new RegionAccess(offset, region, (uint)source.Length));
        if (_channel.TryPost(Command.RegionWrite, request, source) is Errno errno and not Errno.None)
            throw Failure(Command.RegionWrite, errno, _cancellation);
    }

    /// <summary>Maps a DMA region. Spec: VFIO_USER_DMA_MAP.</summary>
    /// <param name="map">Address, size and flags.</param>
    /// <param name="file">The memory itself, borrowed; null for memory that the server accesses by DMA_READ and DMA_WRITE messages.</param>
    public void MapDma(DmaMap map, SafeHandle? file = null)
    {
        Span<byte> request = stackalloc byte[DmaMap.WireSize];
        WireFormat.Write(request, map);
        using Reply reply = file is null ? Call(Command.DmaMap, request) : Call(Command.DmaMap, request, default, [file]);
    }

    /// <summary>Maps a DMA region for reading and writing. Spec: VFIO_USER_DMA_MAP.</summary>
    /// <param name="address">First byte; an IOVA.</param>
    /// <param name="size">In bytes.</param>
    /// <param name="file">The memory itself, borrowed; null for memory that the server accesses by DMA_READ and DMA_WRITE messages.</param>
    /// <param name="offset">First byte in the file.</param>
    public void MapDma(ulong address, ulong size, SafeHandle? file = null, ulong offset = 0) =>
        MapDma(new DmaMap(DmaMap.WireSize, DmaMapFlags.Readable | DmaMapFlags.Writeable, offset, address, size), file);

    /// <summary>Unmaps a DMA region: once this returns, the device does not access it. Spec: VFIO_USER_DMA_UNMAP.</summary>
    /// <param name="address">Exactly as it was mapped.</param>
    /// <param name="size">Exactly as it was mapped.</param>
    public void UnmapDma(ulong address, ulong size) =>
        Ask<DmaUnmap, DmaUnmap>(Command.DmaUnmap, new DmaUnmap(DmaUnmap.WireSize, 0, address, size));

    /// <summary>Unmaps all DMA regions. Spec: VFIO_USER_DMA_UNMAP.</summary>
    public void UnmapAllDma() =>
        Ask<DmaUnmap, DmaUnmap>(Command.DmaUnmap, new DmaUnmap(DmaUnmap.WireSize, DmaUnmapFlags.All, 0, 0));

    /// <summary>Sets up, masks, unmasks or triggers interrupts. Spec: VFIO_USER_DEVICE_SET_IRQS.</summary>
    /// <param name="set">Type, vectors and action.</param>
    /// <param name="bools">One a vector, for <see cref="IrqSetFlags.DataBool"/>.</param>
    /// <param name="eventFds">One a vector, for <see cref="IrqSetFlags.DataEventFd"/>; borrowed.</param>
    public void SetIrqs(IrqSet set, ReadOnlySpan<byte> bools = default, ReadOnlySpan<SafeHandle> eventFds = default)
    {
        Span<byte> request = stackalloc byte[IrqSet.WireSize];
        WireFormat.Write(request, set);
        using Reply reply = Call(Command.DeviceSetIrqs, request, bools, eventFds);
    }

    /// <summary>Has eventfds signalled when vectors are triggered. Sent in as many messages as the server's <c>max_msg_fds</c> requires.</summary>
    /// <param name="index">The interrupt type.</param>
    /// <param name="start">The first vector.</param>
    /// <param name="eventFds">One for each vector from <paramref name="start"/> on; borrowed.</param>
    public void SetIrqEventFds(uint index, uint start, params ReadOnlySpan<SafeHandle> eventFds)
    {
        while (!eventFds.IsEmpty)
        {
            int count = Math.Min(eventFds.Length, Math.Max(1, Limits.MaxFdsToSend));
            SetIrqs(new IrqSet(IrqSet.WireSize, IrqSetFlags.DataEventFd | IrqSetFlags.ActionTrigger, index, start, (uint)count),
                default, eventFds[..count]);
            eventFds = eventFds[count..];
            start += (uint)count;
        }
    }

    /// <summary>Disables an interrupt type. Spec: VFIO_USER_DEVICE_SET_IRQS.</summary>
    public void DisableIrqs(uint index) =>
        SetIrqs(new IrqSet(IrqSet.WireSize, IrqSetFlags.DataNone | IrqSetFlags.ActionTrigger, index, 0, 0));

    /// <summary>Resets the device. Spec: VFIO_USER_DEVICE_RESET.</summary>
    public void ResetDevice()
    {
        using Reply reply = Call(Command.DeviceReset, default);
    }

    private ClientRegion? TryGetRegionInfo(uint index, ref uint argsz)
    {
        Span<byte> request = stackalloc byte[RegionInfo.WireSize];
        WireFormat.Write(request, new RegionInfo(argsz, 0, index, 0, 0, 0));
        using Reply reply = Call(Command.DeviceGetRegionInfo, request);
        RegionInfo info = Parse<RegionInfo>(Command.DeviceGetRegionInfo, reply.Payload);
        if (info.Argsz > argsz && info.Argsz <= Limits.MaxTransferToReceive)
        {
            argsz = info.Argsz;
            return null;
        }
        // parse before taking the descriptor: if parsing throws, the reply closes it
        RegionType? type = RegionAreas.TypeOf(info, reply.Payload);
        if (reply.Fds is not { Count: > 0 } fds)
            return new ClientRegion(info, [], null, type);
        IReadOnlyList<SparseMmapArea> areas = RegionAreas.Of(info, reply.Payload);
        return new ClientRegion(info, areas, fds.Take(0), type);
    }

    private TReply Ask<TRequest, TReply>(Command command, TRequest request)
        where TRequest : unmanaged
        where TReply : unmanaged
    {
        using Reply reply = Call(command, MemoryMarshal.AsBytes(new ReadOnlySpan<TRequest>(in request)));
        return Parse<TReply>(command, reply.Payload);
    }

    private static T Parse<T>(Command command, ReadOnlySpan<byte> payload)
        where T : unmanaged =>
        WireFormat.TryRead(payload, out T value) ? value : throw new VfioUserException(command, Errno.EBADMSG);
}
