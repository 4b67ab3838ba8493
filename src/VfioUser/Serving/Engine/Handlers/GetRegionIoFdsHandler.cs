using System.Runtime.InteropServices;
using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Spec: VFIO_USER_DEVICE_GET_REGION_IO_FDS. Sub-regions beyond the limit of descriptors are omitted: the client accesses
/// them by message.</summary>
internal sealed class GetRegionIoFdsHandler : CommandHandler
{
    public override CommandOutcome Handle(Session session, in ReceivedMessage message)
    {
        if (!TryRead(message, out RegionIoFds request, out Refusal refusal))
            return refusal;
        refusal = Check(request, (uint)session.Limits.MaxTransferToReceive);
        if (!refusal.IsNone)
            return refusal;
        Region? region = session.Device.RegionAt(request.Index);
        if (RegionBounds.SizeOf(session.Device, request.Index, region) == 0)
            return Refusal.Invalid("the device has no region {0}", request.Index);

        List<IoFdSubRegion> subRegions = [];
        List<IFdSource> sources = [];
        Choose(region?.IoFds ?? [], session.Limits.MaxFdsToSend, subRegions, sources);
        bool withShadow = subRegions.Exists(subRegion => subRegion.ShadowFd is not null);
        int entrySize = withShadow ? IoEventFdShadow.WireSize : IoEventFd.WireSize;
        int needed = RegionIoFds.WireSize + subRegions.Count * entrySize;
        bool fits = request.Argsz >= needed && needed <= session.Limits.MaxTransferToSend;

        SafeHandle[] fds = [];
        if (fits && !TryOpen(sources, out fds, out Errno errno))
            return new Refusal(errno, "no descriptor could be created");
        int length = fits ? needed : RegionIoFds.WireSize;
        Span<byte> payload = session.Replies.Begin(message.Header, length);
        WireFormat.Write(payload, new RegionIoFds((uint)needed, 0, request.Index, (uint)subRegions.Count));
        for (int i = 0; i < subRegions.Count && fits; i++)
        {
            Span<byte> entry = payload.Slice(RegionIoFds.WireSize + i * entrySize, entrySize);
            uint fd = (uint)sources.IndexOf(subRegions[i].Fd);
            if (withShadow)
                subRegions[i].WriteLong(entry, fd, subRegions[i].ShadowFd is { } shadow ? (uint)sources.IndexOf(shadow) : 0);
            else
                subRegions[i].Write(entry, fd);
        }
        session.Replies.End(length, fds);
        return CommandOutcome.Replied;
    }

    private static Refusal Check(in RegionIoFds request, uint maxArgsz)
    {
        if (request.Flags != 0 || request.Count != 0)
            return Refusal.Invalid("flags 0x{0:x} and count {1} of a request must be 0", request.Flags, request.Count);
        if (request.Argsz < RegionIoFds.WireSize)
            return Refusal.ArgszTooSmall(request.Argsz, RegionIoFds.WireSize);
        if (request.Argsz > maxArgsz)
            return Refusal.Invalid("argsz {0} exceeds the limit of {1} for one message", request.Argsz, maxArgsz);
        return default;
    }

    // In the order of declaration; a sub-region whose descriptors are sent anyway costs none.
    private static void Choose(IReadOnlyList<IoFdSubRegion> all, int maxFds, List<IoFdSubRegion> subRegions, List<IFdSource> sources)
    {
        foreach (IoFdSubRegion subRegion in all)
        {
            int before = sources.Count;
            AddNew(sources, subRegion.Fd);
            AddNew(sources, subRegion.ShadowFd);
            if (sources.Count <= maxFds)
                subRegions.Add(subRegion);
            else
                sources.RemoveRange(before, sources.Count - before);
        }
    }

    private static void AddNew(List<IFdSource> sources, IFdSource? source)
    {
        if (source is not null && !sources.Contains(source))
            sources.Add(source);
    }

    private static bool TryOpen(List<IFdSource> sources, out SafeHandle[] fds, out Errno errno)
    {
        errno = Errno.None;
        fds = [];
        try
        {
            fds = [.. sources.Select(source => source.Open())];
            return true;
        }
        catch (IOException e)
        {
            errno = (Errno)e.HResult; // usually EMFILE
            return false;
        }
    }
}
