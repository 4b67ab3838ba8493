using VfioUser.Protocol;

namespace VfioUser;

/// <summary>A server as inspectors see it: takes what there is, without a lock that the session waits for, and calls no code of the device.</summary>
/// <remarks>Any thread.</remarks>
internal sealed class InspectedServer(string name, string address, ServerMetrics metrics, RefusalHistory history)
{
    /// <summary>Version of the format.</summary>
    public const int Format = 1;

    /// <summary>Most items in an answer, so that a device with many registers needs no large answer.</summary>
    public const int MaxItems = 1024;

    private readonly DateTimeOffset _started = DateTimeOffset.UtcNow;
    private ServerRun? _run;

    /// <summary>The run that serves a device now; null for none.</summary>
    public ServerRun? Run
    {
        get => Volatile.Read(ref _run);
        set => Volatile.Write(ref _run, value);
    }

    /// <summary>Answers a request.</summary>
    public InspectionAnswer Answer(InspectionRequest request)
    {
        if (request.From < 0)
            return new InspectionAnswer { Error = "from is at least 0" };
        ServerRun? run = Run;
        int from = request.From;
        switch (request.Show)
        {
            case InspectionTopics.Server:
                return new InspectionAnswer { Server = Facts(run) };
            case InspectionTopics.Registers:
                RegisterFacts[] registers = Part(run?.Device.StoredRegisters().Select(Facts), from, out int? next);
                return new InspectionAnswer { Registers = registers, Next = next };
            case InspectionTopics.Dma:
                DmaFacts[] regions = Part(run?.Device.Dma.Table.All.Select(region => Facts(region.Description)), from, out next);
                return new InspectionAnswer { Dma = regions, Next = next };
            case InspectionTopics.Irqs:
                IrqFacts[] irqs = Part(run is null ? null : Enum.GetValues<IrqType>().SelectMany(type => Facts(run.Device, type)), from, out next);
                return new InspectionAnswer { Irqs = irqs, Next = next };
            case InspectionTopics.Refusals:
                return new InspectionAnswer { Refusals = history.Facts() };
            case InspectionTopics.Counters:
                CounterFacts[] counters = Part(metrics.Totals().Select(Facts), from, out next);
                return new InspectionAnswer { Counters = counters, Next = next };
            default:
                return new InspectionAnswer { Error = $"show is one of {InspectionTopics.All}" };
        }
    }

    private static T[] Part<T>(IEnumerable<T>? all, int from, out int? next)
    {
        T[] some = [.. (all ?? []).Skip(from).Take(MaxItems + 1)];
        next = some.Length > MaxItems ? from + MaxItems : null;
        return next is null ? some : some[..MaxItems];
    }

    private ServerFacts Facts(ServerRun? run)
    {
        ServingStatus? status = run?.Status;
        return new ServerFacts(Format, name, address, Environment.ProcessId, _started, status?.State.ToString() ?? "Idle", status?.Sessions ?? 0,
            run is null ? null : Facts(run.Device), status?.Peer is { } peer ? Facts(peer, status.Negotiated) : null,
            status?.LastDisconnect?.Message, status?.LastError?.Message);
    }

    private static DeviceFacts Facts(PciDevice device)
    {
        GuestRegionTable table = device.Dma.Table;
        ulong bytes = 0;
        foreach (GuestRegion region in table.All)
            bytes = unchecked(bytes + region.Description.Length);
        return new DeviceFacts(device.GetType().Name, device.Id.Vendor, device.Id.Device, ClassOf(device), device.Activity.State.ToString(),
            device.MayMaster, device.StoredRegisters().Count(), table.Count, bytes, device.UnmodelledAccessCount);
    }

    private static int ClassOf(PciDevice device) => device.Class.Base << 16 | device.Class.Sub << 8 | device.Class.ProgIf;

    private static ClientFacts Facts(PeerCredentials peer, NegotiatedSession? negotiated) => new(peer.ProcessId, peer.UserId, peer.GroupId, negotiated?.Began,
        negotiated is null ? null : FormattableString.Invariant($"{negotiated.Version.Major}.{negotiated.Version.Minor}"), negotiated?.HasTwinSocket,
        negotiated is null ? null : VersionMessage.TextOf(negotiated.Proposed));

    private static RegisterFacts Facts(RegisterInfo register)
    {
        ulong value = register.Value;
        string region = register.Region == RegionIndex.Config ? "config" : register.Region.ToString().ToLowerInvariant();
        return new RegisterFacts(region, register.Offset, register.Width, register.Name, register.Access, value, register.Describe(value));
    }

    private static DmaFacts Facts(DmaRegion region) => new(region.Address.Value, region.Length, region.IsReadable, region.IsWritable, MetricTags.NameOf(region.Backing));

    private static CounterFacts Facts(CountedTotal total) => new(total.Instrument, total.Tags.ToDictionary(tag => tag.Key, tag => tag.Value, StringComparer.Ordinal), total.Value);

    // MSI-X has up to 2048 vectors, most of which are in one state
    private static IEnumerable<IrqFacts> Facts(PciDevice device, IrqType type)
    {
        IrqFacts? group = null;
        foreach (Irq irq in device.IrqsAt((uint)type) ?? Enumerable.Empty<Irq>())
        {
            IrqFacts one = new(MetricTags.NameOf(type), irq.Vector, 1, irq.IsEnabled, irq.IsMasked, irq.IsPending);
            if (group is not null && group with { First = one.First, Count = 1 } == one)
            {
                group = group with { Count = group.Count + 1 };
                continue;
            }
            if (group is not null)
                yield return group;
            group = one;
        }
        if (group is not null)
            yield return group;
    }
}
