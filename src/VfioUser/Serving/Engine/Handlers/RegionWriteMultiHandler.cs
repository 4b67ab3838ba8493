using System.Runtime.InteropServices;
using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Spec: VFIO_USER_REGION_WRITE_MULTI.</summary>
internal sealed class RegionWriteMultiHandler : CommandHandler
{
    public override CommandOutcome Handle(Session session, in ReceivedMessage message)
    {
        if (!session.Limits.WriteMultiple)
            return Refusal.Invalid("it was not negotiated");
        if (!TryRead(message, out RegionWriteMulti writes, out Refusal refusal))
            return refusal;
        int length = message.Payload.Length - RegionWriteMulti.WireSize;
        if (writes.WriteCount != (ulong)(length / RegionWriteMultiEntry.WireSize) || length % RegionWriteMultiEntry.WireSize != 0)
            return Refusal.Invalid("{0} writes do not match the {1} bytes of data", writes.WriteCount, (ulong)length);
        return WriteFrom(session, message, RegionWriteMulti.WireSize);
    }

    // a write that starts a function level reset, and those after it
    public override CommandOutcome Apply(Session session, in ReceivedMessage message, int position)
    {
        RegionWriteMultiEntry entry = WireFormat.Read<RegionWriteMultiEntry>(message.Payload[position..]);
        ulong data = entry.Data;
        Write(session.Device, null, AccessOf(entry), BytesOf(in data, entry.Count));
        session.Quiescence.Resume();
        return WriteFrom(session, message, position + RegionWriteMultiEntry.WireSize);
    }

    private static CommandOutcome WriteFrom(Session session, in ReceivedMessage message, int position)
    {
        PciDevice device = session.Device;
        RegionAccess access = default;
        ulong data = 0;
        // one try for all of them: a try for each costs a nanosecond each
        try
        {
            for (; position < message.Payload.Length; position += RegionWriteMultiEntry.WireSize)
            {
                RegionWriteMultiEntry entry = WireFormat.Read<RegionWriteMultiEntry>(message.Payload[position..]);
                if (entry.Count > sizeof(ulong))
                    return Refusal.Invalid("a write of {0} bytes at 0x{1:x} of region {2} exceeds 8 bytes", entry.Count, entry.Offset, entry.Region);
                access = AccessOf(entry);
                if (!RegionWriteHandler.CanWrite(device, access, out Region? region))
                    return RegionWriteHandler.Explain(device, access);
                data = entry.Data;
                ReadOnlySpan<byte> bytes = BytesOf(in data, entry.Count);
                if (region is null && RegionWriteHandler.Resets(device, access, bytes))
                    return CommandOutcome.NeedsQuiesce(QuiesceReason.Reset, position);
                RegionWriteHandler.Write(device, region, access, bytes);
            }
        }
        catch (Exception e) when (e is not DeviceCodeException)
        {
            throw Threw(device, access, BytesOf(in data, access.Count), e);
        }
        return Reply(session, message, WireFormat.Read<RegionWriteMulti>(message.Payload));
    }

    // the message has several accesses, so the exception says which of them it was
    private static void Write(PciDevice device, Region? region, in RegionAccess access, ReadOnlySpan<byte> bytes)
    {
        try
        {
            RegionWriteHandler.Write(device, region, access, bytes);
        }
        catch (Exception e) when (e is not DeviceCodeException)
        {
            throw Threw(device, access, bytes, e);
        }
    }

    private static DeviceCodeException Threw(PciDevice device, in RegionAccess access, ReadOnlySpan<byte> bytes, Exception exception) =>
        new(DeviceCode.At(device, DeviceCallback.RegionWrite, access.Region, (long)access.Offset, bytes), exception);

    private static RegionAccess AccessOf(in RegionWriteMultiEntry entry) => new(entry.Offset, entry.Region, entry.Count);

    private static ReadOnlySpan<byte> BytesOf(in ulong data, ulong count) =>
        MemoryMarshal.AsBytes(new ReadOnlySpan<ulong>(in data))[..(int)count];
}
