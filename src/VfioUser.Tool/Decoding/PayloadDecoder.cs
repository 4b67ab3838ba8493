using System.Globalization;
using System.Text;
using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Tool.Describing;
using VfioUser.Tool.Irqs;
using VfioUser.Tool.Regions;
using RegionInfo = VfioUser.Protocol.RegionInfo;

namespace VfioUser.Tool.Decoding;

/// <summary>Decodes the payload of each command and reply. Spec: "Message Types".</summary>
internal static class PayloadDecoder
{
    // items of a list, which is printed in one line
    private const int MaxItems = 16;
    private const int LongestText = 4096;

    public static void Decode(in MessageHeader header, ReadOnlySpan<byte> payload, Fields to)
    {
        bool reply = header.IsReply;
        if (ProtocolCommands.Find(header.Command) is not { } command)
        {
            to.Malformed("there is no such command");
            return;
        }
        PayloadInfo layout = command.Payload(reply);
        if (layout.Type is null && payload.IsEmpty)
            return;
        switch (header.Command)
        {
            case Command.Version:
                Version(payload, to);
                break;
            case Command.DeviceReset:
                break;
            case Command.DmaMap:
                if (to.TryRead(ref payload, DmaMap.WireSize, out DmaMap map))
                    to.Hex("address", map.Address).Hex("size", map.Size).Hex("offset", map.Offset).Flags(map.Flags);
                break;
            case Command.DmaUnmap:
                Unmap(payload, reply, to);
                break;
            case Command.DeviceGetInfo:
                if (to.TryRead(ref payload, DeviceInfo.WireSize, out DeviceInfo info))
                    _ = reply ? to.Flags(info.Flags).Number("regions", info.RegionCount).Number("irqs", info.IrqCount) : to.Number("argsz", info.Argsz);
                break;
            case Command.DeviceGetRegionInfo:
                RegionInfoOf(payload, reply, to);
                break;
            case Command.DeviceGetRegionIoFds:
                RegionIoFdsOf(payload, reply, to);
                break;
            case Command.DeviceGetIrqInfo:
                IrqInfoOf(payload, reply, to);
                break;
            case Command.DeviceSetIrqs:
                SetIrqs(payload, to);
                break;
            case Command.RegionRead or Command.RegionWrite:
                Region(payload, layout.HasData, to);
                break;
            case Command.DmaRead or Command.DmaWrite:
                Dma(payload, reply, layout.HasData, to);
                break;
            case Command.RegionWriteMulti:
                WriteMulti(payload, reply, to);
                break;
            case Command.DeviceFeature:
                FeatureDecoder.Decode(payload, reply, to);
                break;
            case Command.MigDataRead or Command.MigDataWrite:
                MigrationDataOf(payload, reply, layout.HasData, to);
                break;
            case PreCopyInfo.Command:
                PreCopyInfoOf(payload, reply, to);
                break;
        }
    }

    private static void RegionIoFdsOf(ReadOnlySpan<byte> payload, bool reply, Fields to)
    {
        if (to.TryRead(ref payload, RegionIoFds.WireSize, out RegionIoFds io))
        {
            to.Text("region", RegionName.Of(io.Index));
            if (reply)
                to.Number("count", io.Count);
        }
    }

    private static void IrqInfoOf(ReadOnlySpan<byte> payload, bool reply, Fields to)
    {
        if (to.TryRead(ref payload, IrqInfo.WireSize, out IrqInfo irq))
        {
            to.Text("irq", IrqName.Of(irq.Index));
            if (reply)
                to.Number("count", irq.Count).Flags(irq.Flags);
        }
    }

    private static void PreCopyInfoOf(ReadOnlySpan<byte> payload, bool reply, Fields to)
    {
        if (to.TryRead(ref payload, PreCopyInfo.WireSize, out PreCopyInfo left))
            _ = reply ? to.Number("initial_bytes", left.InitialBytes).Number("dirty_bytes", left.DirtyBytes) : to.Number("argsz", left.Argsz);
    }

    private static void SetIrqs(ReadOnlySpan<byte> payload, Fields to)
    {
        if (to.TryRead(ref payload, IrqSet.WireSize, out IrqSet set))
        {
            to.Text("irq", IrqName.Of(set.Index)).Flags(set.Flags).Number("start", set.Start).Number("count", set.Count);
            if (!payload.IsEmpty)
                to.Text("bools", Fields.HexOf(payload, MaxItems));
        }
    }

    private static void Region(ReadOnlySpan<byte> payload, bool hasData, Fields to)
    {
        if (to.TryRead(ref payload, RegionAccess.WireSize, out RegionAccess access))
        {
            to.Text("region", RegionName.Of(access.Region)).Hex("offset", access.Offset).Number("count", access.Count);
            to.Register(access);
            Data(payload, access.Count, hasData, to);
            to.Meaning(access, payload);
        }
    }

    private static void MigrationDataOf(ReadOnlySpan<byte> payload, bool reply, bool hasData, Fields to)
    {
        if (to.TryRead(ref payload, MigrationData.WireSize, out MigrationData migration))
        {
            to.Number("size", migration.Size);
            // libvfio-user's reply always has the size asked for, even with less data
            if (reply && migration.Size < (uint)payload.Length)
                payload = payload[..(int)migration.Size];
            Data(payload, migration.Size, hasData, to);
        }
    }

    private static void Dma(ReadOnlySpan<byte> payload, bool reply, bool hasData, Fields to)
    {
        // a reply to DmaWrite may be empty, see the protocol notes
        if (reply && payload.IsEmpty)
            return;
        if (to.TryRead(ref payload, DmaAccess.WireSize, out DmaAccess dma))
        {
            to.Hex("address", dma.Address).Number("count", dma.Count);
            Data(payload, dma.Count, hasData, to);
        }
    }

    private static void Version(ReadOnlySpan<byte> payload, Fields to)
    {
        if (!to.TryRead(ref payload, ProtocolVersion.WireSize, out ProtocolVersion version))
            return;
        to.Text("version", string.Create(CultureInfo.InvariantCulture, $"{version.Major}.{version.Minor}"));
        if (payload.IsEmpty)
            return;
        int end = payload.IndexOf((byte)0);
        if (end < 0)
            to.Malformed("the version data does not end in a NUL");
        ReadOnlySpan<byte> text = end < 0 ? payload : payload[..end];
        to.Text("data", Printable(Encoding.UTF8.GetString(text[..Math.Min(text.Length, LongestText)])));
    }

    private static void Unmap(ReadOnlySpan<byte> payload, bool reply, Fields to)
    {
        if (!to.TryRead(ref payload, DmaUnmap.WireSize, out DmaUnmap unmap))
            return;
        to.Hex("address", unmap.Address).Hex("size", unmap.Size).Flags(unmap.Flags);
        if ((unmap.Flags & DmaUnmapFlags.GetDirtyBitmap) != 0 && to.TryRead(ref payload, DirtyBitmap.WireSize, out DirtyBitmap bitmap))
        {
            to.Number("pgsize", bitmap.PageSize).Number("bitmap", bitmap.Size);
            if (reply)
                to.Data(payload);
        }
    }

    private static void RegionInfoOf(ReadOnlySpan<byte> payload, bool reply, Fields to)
    {
        ReadOnlySpan<byte> whole = payload;
        if (!to.TryRead(ref payload, RegionInfo.WireSize, out RegionInfo info))
            return;
        to.Text("region", RegionName.Of(info.Index)).Number("argsz", info.Argsz);
        if (!reply)
            return;
        to.Hex("size", info.Size).Flags(info.Flags).Hex("offset", info.Offset);
        // capabilities that do not fit into argsz are not sent
        if (info.Argsz > (uint)whole.Length)
            return;
        try
        {
            foreach (RegionCapability capability in RegionCapability.ReadAll(info, whole))
            {
                to.List(capability.Header.Id.ToString(),
                    [.. capability.Areas.Take(MaxItems).Select(area => string.Create(CultureInfo.InvariantCulture, $"0x{area.Offset:x}+0x{area.Size:x}"))]);
            }
        }
        catch (VfioUserException)
        {
            to.Malformed("its capability list is invalid");
        }
    }

    private static void WriteMulti(ReadOnlySpan<byte> payload, bool reply, Fields to)
    {
        if (!to.TryRead(ref payload, RegionWriteMulti.WireSize, out RegionWriteMulti multi))
            return;
        to.Number("wr_cnt", multi.WriteCount);
        if (reply)
            return;
        if (multi.WriteCount != (ulong)(payload.Length / RegionWriteMultiEntry.WireSize))
            to.Malformed($"{payload.Length} bytes of writes");
        List<string> writes = [];
        while (writes.Count < MaxItems && WireFormat.TryRead(payload, out RegionWriteMultiEntry entry))
        {
            payload = payload[RegionWriteMultiEntry.WireSize..];
            string name = to.NamesOf(entry.Region, entry.Offset, entry.Count);
            writes.Add(string.Create(CultureInfo.InvariantCulture,
                $"{RegionName.Of(entry.Region)}+0x{entry.Offset:x}{(name.Length > 0 ? $" {name}" : "")} {entry.Count} bytes 0x{entry.Data:x}"));
        }
        to.List("writes", writes);
    }

    private static void Data(ReadOnlySpan<byte> data, ulong count, bool hasData, Fields to)
    {
        ulong expected = hasData ? count : 0;
        if ((ulong)data.Length != expected)
            to.Malformed($"{data.Length} bytes of data where {expected} belong");
        to.Data(data);
    }

    // a peer's text must not contain terminal escapes
    private static string Printable(string text) => string.Concat(text.Select(c => char.IsControl(c) ? '?' : c));
}
