using VfioUser.Protocol;

namespace VfioUser.Client;

/// <content>Region access by descriptor.</content>
public sealed partial class VfioUserClient
{
    private const int FirstEntries = 16;
    private const int MostTries = 3;

    /// <summary>Asks what of a region can be reached by descriptor in place of messages. Spec: VFIO_USER_DEVICE_GET_REGION_IO_FDS.</summary>
    /// <param name="index">The region.</param>
    /// <returns>To be disposed; it owns the descriptors. Offsets and sizes lie within the region, for which it asks as well.</returns>
    /// <exception cref="VfioUserException">The server refused, or its reply contradicts itself: EBADMSG.</exception>
    public ClientIoFds GetRegionIoFds(uint index)
    {
        ulong regionSize;
        using (ClientRegion region = GetRegionInfo(index))
            regionSize = region.Size;
        uint argsz = RegionIoFds.WireSize + FirstEntries * IoEventFdShadow.WireSize;
        Span<byte> request = stackalloc byte[RegionIoFds.WireSize];
        for (int i = 0; i < MostTries; i++)
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
