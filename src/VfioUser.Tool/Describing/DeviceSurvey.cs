using System.Globalization;
using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Tool.Irqs;
using VfioUser.Tool.Regions;
using RegionInfo = VfioUser.Protocol.RegionInfo;

namespace VfioUser.Tool.Describing;

/// <summary>Collects a server's description of itself and its device.</summary>
internal static class DeviceSurvey
{
    private const int HeaderSize = 64;
    private const int FirstBar = 0x10;
    private const uint Bars = 6;
    // a server may claim four billion regions or interrupt types
    private const uint MaxListed = 1024;

    public static DeviceDescription Make(VfioUserClient client)
    {
        DeviceInfo device = client.GetDeviceInfo();
        List<RegionDescription> regions = [];
        for (uint i = 0; i < Math.Min(device.RegionCount, MaxListed); i++)
        {
            if (Region(client, i) is { } region)
                regions.Add(region);
        }
        List<IrqDescription> irqs = [];
        for (uint i = 0; i < Math.Min(device.IrqCount, MaxListed); i++)
        {
            IrqInfo irq = client.GetIrqInfo(i);
            if (irq.Count > 0)
                irqs.Add(new IrqDescription(i, IrqName.Of(i), irq.Count, Flags((uint)irq.Flags, "eventfd", "maskable", "automasked", "noresize")));
        }
        byte[]? header = Header(client, regions);
        return new DeviceDescription(Negotiation(client), Flags((uint)device.Flags, "reset", "pci"), header is null ? null : Pci(header), Migration(client),
            header is null ? regions : [.. regions.Select(region => region with { Kind = BarKind(header, region.Index) })], irqs);
    }

    private static NegotiationDescription Negotiation(VfioUserClient client)
    {
        Capabilities server = client.ServerCapabilities;
        return new NegotiationDescription(string.Create(CultureInfo.InvariantCulture, $"{client.Version.Major}.{client.Version.Minor}"),
            server.MaxMessageFds, server.MaxDataTransferSize, server.MaxDmaMaps, server.PageSizes, server.WriteMultiple, client.HasTwinSocket);
    }

    private static RegionDescription? Region(VfioUserClient client, uint index)
    {
        uint argsz = RegionInfo.WireSize;
        Span<byte> request = stackalloc byte[RegionInfo.WireSize];
        for (int tries = 0; tries < 2; tries++)
        {
            WireFormat.Write(request, new RegionInfo(argsz, 0, index, 0, 0, 0));
            using Reply reply = client.Call(Command.DeviceGetRegionInfo, request);
            if (!WireFormat.TryRead(reply.Payload, out RegionInfo info))
                break;
            if (info.Argsz > argsz && info.Argsz <= (uint)client.Limits.MaxTransferToReceive)
            {
                argsz = info.Argsz;
                continue;
            }
            IReadOnlyList<RegionCapability> capabilities = RegionCapability.ReadAll(info, reply.Payload);
            return info.Size == 0 && capabilities.Count == 0 ? null : new RegionDescription(index, RegionName.Of(index), info.Size,
                Flags((uint)info.Flags, "read", "write", "mmap", "caps"), info.Offset, reply.Fds is { Count: > 0 }, [.. capabilities.Select(Capability)]);
        }
        throw new VfioUserException(Command.DeviceGetRegionInfo, Errno.EBADMSG);
    }

    private static CapabilityDescription Capability(RegionCapability capability) => new(capability.Header.Id switch
    {
        RegionCapId.SparseMmap => "sparse mmap",
        RegionCapId.Type => "type",
        RegionCapId.MsixMappable => "msix mappable",
        RegionCapId other => string.Create(CultureInfo.InvariantCulture, $"capability {(ushort)other}"),
    }, capability.Header.Version, [.. capability.Areas.Select(area => new AreaDescription(area.Offset, area.Size))],
        capability.Type is { } type ? string.Create(CultureInfo.InvariantCulture, $"0x{type.Type:x}:0x{type.Subtype:x}") : null);

    private static byte[]? Header(VfioUserClient client, List<RegionDescription> regions)
    {
        if (!regions.Exists(region => region is { Index: RegionName.Config, Size: >= HeaderSize }))
            return null;
        byte[] header = new byte[HeaderSize];
        RegionTransfer.Read(client, RegionName.Config, 0, header);
        return header;
    }

    // PCI 3.0 6.2.5.1
    private static string? BarKind(byte[] header, uint region)
    {
        if (region >= Bars)
            return null;
        byte bar = header[FirstBar + sizeof(uint) * region];
        if ((bar & 1) != 0)
            return "I/O";
        return $"{((bar & 6) == 4 ? "64" : "32")}-bit {((bar & 8) != 0 ? "prefetchable " : "")}memory";
    }

    private static PciDescription Pci(byte[] header) =>
        new(Hex16(header, 0x00), Hex16(header, 0x02), Hex16(header, 0x2C), Hex16(header, 0x2E),
            $"{header[0x0B]:x2}{header[0x0A]:x2}{header[0x09]:x2}", $"{header[0x08]:x2}");

    private static List<string> Migration(VfioUserClient client)
    {
        try
        {
            return Flags((uint)client.GetMigrationFlags(), "stop-copy", "p2p", "pre-copy");
        }
        catch (VfioUserException e) when (e.Errno is not (Errno.ENOTCONN or Errno.ETIMEDOUT))
        {
            // older servers do not know DEVICE_FEATURE
            return [];
        }
    }

    private static string Hex16(byte[] bytes, int at) => $"{bytes[at + 1]:x2}{bytes[at]:x2}";

    private static List<string> Flags(uint flags, params ReadOnlySpan<string> names)
    {
        List<string> set = [];
        for (int i = 0; i < names.Length; i++)
        {
            if ((flags >> i & 1) != 0)
                set.Add(names[i]);
        }
        uint unknown = flags & ~((1u << names.Length) - 1);
        if (unknown != 0)
            set.Add(string.Create(CultureInfo.InvariantCulture, $"0x{unknown:x}"));
        return set;
    }
}
