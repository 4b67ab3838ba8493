using VfioUser.Protocol;

namespace VfioUser.Client;

/// <content>Access to sub-regions through descriptors.</content>
public sealed partial class VfioUserClient
{
    private const int FirstEntries = 16;
    private const int MaxTries = 3;

    /// <summary>Gets the ioeventfds and ioregionfds of a region. Spec: VFIO_USER_DEVICE_GET_REGION_IO_FDS.</summary>
    /// <param name="index">The region.</param>
    /// <returns>To be disposed; it owns the descriptors. Offsets and sizes are checked against the region's size, which is asked for, too.</returns>
    /// <exception cref="VfioUserException">The server refused, or its reply contradicts itself: EBADMSG.</exception>
    public ClientIoFds GetRegionIoFds(uint index)
    {
        ulong regionSize;
        using (ClientRegion region = GetRegionInfo(index))
            regionSize = region.Size;
        uint argsz = RegionIoFds.WireSize + FirstEntries * IoEventFdShadow.WireSize;
        Span<byte> request = stackalloc byte[RegionIoFds.WireSize];
        for (int i = 0; i < MaxTries; i++)
        {
            WireFormat.Write(request, new RegionIoFds(argsz, 0, index, 0));
            using Reply reply = Call(Command.DeviceGetRegionIoFds, request);
            RegionIoFds info = Parse<RegionIoFds>(Command.DeviceGetRegionIoFds, reply.Payload);
            if (info.Argsz <= argsz)
            {
                if (info.Argsz < RegionIoFds.WireSize)
                    break;
                return ClientIoFds.Parse(info, regionSize, reply.Payload, reply.Fds);
            }
            if (info.Argsz > (uint)Limits.MaxTransferToReceive)
                break;
            argsz = info.Argsz;
        }
        throw new VfioUserException(Command.DeviceGetRegionIoFds, Errno.EBADMSG);
    }
}
