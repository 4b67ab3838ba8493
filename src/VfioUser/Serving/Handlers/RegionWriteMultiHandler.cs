using System.Runtime.InteropServices;
using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Spec: VFIO_USER_REGION_WRITE_MULTI.</summary>
internal sealed class RegionWriteMultiHandler : CommandHandler
{
    public override Errno Handle(Session session, in ReceivedMessage message)
    {
        ReadOnlySpan<byte> payload = message.Payload;
        if (!session.Limits.WriteMultiple || !WireFormat.TryRead(payload, out RegionWriteMulti writes))
            return Errno.EINVAL;
        payload = payload[RegionWriteMulti.WireSize..];
        if (writes.WriteCount != (ulong)(payload.Length / RegionWriteMultiEntry.WireSize)
            || payload.Length % RegionWriteMultiEntry.WireSize != 0)
            return Errno.EINVAL;
        // those before the one that had to wait for the device are done
        payload = payload[session.Quiescence.TakeProgress()..];
        while (!payload.IsEmpty)
        {
            RegionWriteMultiEntry entry = WireFormat.Read<RegionWriteMultiEntry>(payload);
            if (entry.Count > sizeof(ulong))
                return Errno.EINVAL;
            ulong data = entry.Data;
            ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(new ReadOnlySpan<ulong>(in data))[..(int)entry.Count];
            Errno errno = RegionWriteHandler.Write(session, message, new RegionAccess(entry.Offset, entry.Region, entry.Count), bytes);
            if (errno != Errno.None)
            {
                session.Quiescence.Keep(progress: message.Payload.Length - RegionWriteMulti.WireSize - payload.Length);
                return errno;
            }
            payload = payload[RegionWriteMultiEntry.WireSize..];
        }
        WireFormat.Write(session.Replies.Begin(message.Header, RegionWriteMulti.WireSize), writes);
        session.Replies.End(RegionWriteMulti.WireSize);
        return Errno.None;
    }
}
