using VfioUser.Protocol;

namespace VfioUser.Benchmarks;

/// <summary>Ready-made messages, the same for both sides.</summary>
internal static class Requests
{
    public const int ReadSize = MessageHeader.WireSize + RegionAccess.WireSize;

    public static byte[] Version()
    {
        byte[] payload = VersionMessage.Format(Negotiator.Version, Capabilities.ClientDefaults);
        return Message(Command.Version, MessageFlags.Command, payload);
    }

    public static byte[] Read(RegionIndex region, ulong offset, int count) =>
        Message(Command.RegionRead, MessageFlags.Command, Payload(new RegionAccess(offset, (uint)region, (uint)count)));

    public static byte[] Write(RegionIndex region, ulong offset, int count, bool posted) =>
        Message(Command.RegionWrite, posted ? MessageFlags.NoReply : MessageFlags.Command,
            [.. Payload(new RegionAccess(offset, (uint)region, (uint)count)), .. new byte[count]]);

    public static byte[] WriteMulti(RegionIndex region, ulong offset, int count, int writes)
    {
        byte[] entry = Payload(new RegionWriteMultiEntry(offset, (uint)region, (uint)count, 0));
        return Message(Command.RegionWriteMulti, MessageFlags.NoReply, [.. Payload(new RegionWriteMulti((ulong)writes)), .. Repeat(entry, writes)]);
    }

    public static byte[] SetIrq() => Message(Command.DeviceSetIrqs, MessageFlags.Command, Payload(
        new IrqSet(IrqSet.WireSize, IrqSetFlags.DataEventFd | IrqSetFlags.ActionTrigger, (uint)IrqType.MsiX, 0, 1)));

    public static byte[] Map(ulong address) => Message(Command.DmaMap, MessageFlags.Command, Payload(
        new DmaMap(DmaMap.WireSize, DmaMapFlags.Readable | DmaMapFlags.Writeable, 0, address, 4096)));

    public static byte[] Unmap(ulong address) => Message(Command.DmaUnmap, MessageFlags.Command, Payload(
        new DmaUnmap(DmaUnmap.WireSize, DmaUnmapFlags.None, address, 4096)));

    public static byte[] Repeat(byte[] message, int count) => [.. Enumerable.Repeat(message, count).SelectMany(bytes => bytes)];

    public static byte[] Message(Command command, MessageFlags flags, byte[] payload)
    {
        byte[] message = new byte[MessageHeader.WireSize + payload.Length];
        WireFormat.Write(message, new MessageHeader(1, command, (uint)message.Length, flags, 0));
        payload.CopyTo(message, MessageHeader.WireSize);
        return message;
    }

    private static byte[] Payload<T>(T value)
        where T : unmanaged
    {
        byte[] bytes = new byte[System.Runtime.CompilerServices.Unsafe.SizeOf<T>()];
        WireFormat.Write(bytes, value);
        return bytes;
    }
}
